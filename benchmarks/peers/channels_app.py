"""Django Channels on several nodes: https://channels.readthedocs.io/en/stable/tutorial/

The chat of its tutorial, with a group per user. LAYER chooses one of the two layers of
https://github.com/django/channels_redis
"""

import os

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": f"channels_redis.{os.environ['LAYER']}",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    },
    INSTALLED_APPS=["channels"],
    SECRET_KEY="not a secret: nothing is signed here",
)
django.setup()


class Chat(AsyncJsonWebsocketConsumer):
    user = None

    async def receive_json(self, content):
        if content["type"] == "register":
            self.user = content["userId"]
            await self.channel_layer.group_add(self.user, self.channel_name)
            await self.send_json(content)
        else:
            event = {"type": "chat.message", "from": self.user, "content": content["content"]}
            await self.channel_layer.group_send(content["to"], event)

    async def chat_message(self, event):
        answer = {"type": "message", "from": event["from"], "content": event["content"]}
        await self.send_json(answer)

    async def disconnect(self, code):
        if self.user is not None:
            await self.channel_layer.group_discard(self.user, self.channel_name)


app = ProtocolTypeRouter({"websocket": URLRouter([path("ws", Chat.as_asgi())])})
