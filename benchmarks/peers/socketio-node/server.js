// Socket.IO on several nodes: https://socket.io/docs/v4/redis-adapter/
// A room per user: https://socket.io/get-started/private-messaging-part-2/
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redis] = process.argv.slice(2);
const publisher = createClient({ url: redis });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const httpServer = createServer();
const io = new Server(httpServer, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
});

io.on("connection", (socket) => {
  const { userId } = socket.handshake.auth;
  socket.join(userId);
  socket.on("message", ({ to, content }, acknowledge) => {
    io.to(to).emit("message", { from: userId, content });
    acknowledge?.("routed");
  });
});

httpServer.listen(Number(port), "127.0.0.1");
