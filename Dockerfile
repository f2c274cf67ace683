# One gateway: `docker build --tag wsgateway .`, then `docker run wsgateway --redis redis://...`.
# 一个网关的镜像。
FROM python:3.13.16-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY wsgateway wsgateway
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '.[fast,kafka]'

FROM python:3.13.16-slim-bookworm
RUN useradd --system --no-create-home gateway
COPY --from=build /venv /venv
USER gateway
# Why: in a container 127.0.0.1 is the container's own; nobody outside could connect.
# 原因：容器里的 127.0.0.1 只属于容器自己，外面谁也连不上。
ENV WSGATEWAY_HOST=0.0.0.0
EXPOSE 8080
# Why: not urllib: it would follow an http_proxy that Docker hands into the container.
# 原因：不用 urllib：Docker 可能把 http_proxy 传进容器，而 urllib 会照着走代理。
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --start-interval=1s \
    CMD ["/venv/bin/python", "-c", "import os; from http.client import HTTPConnection; page = HTTPConnection('127.0.0.1', int(os.environ.get('WSGATEWAY_PORT', '8080')), timeout=2); page.request('GET', '/health'); raise SystemExit(page.getresponse().status != 200)"]
ENTRYPOINT ["/venv/bin/python", "-m", "wsgateway"]
