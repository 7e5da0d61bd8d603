FROM python:3.11-slim AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/gateway \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
# dependencies first: they change less often than the source
COPY pyproject.toml uv.lock ./
COPY publishers/sdk publishers/sdk
RUN uv sync --frozen --no-dev --no-install-project --no-editable
COPY README.md LICENSE ./
COPY gateway gateway
COPY schemas schemas
COPY publishers publishers
COPY openapi openapi
COPY docs docs
RUN uv build --wheel --out-dir /dist && \
    VIRTUAL_ENV=/opt/gateway uv pip install --no-deps /dist/*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Regulation Gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8400 \
    GATEWAY_DATABASE_URL=sqlite:////var/lib/gateway/gateway.db
RUN install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/gateway
COPY --from=build /opt/gateway /opt/gateway
# a number, so that Kubernetes can see that it is not root; nothing outside the volume is written
USER 10001:10001
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 8400 9400
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['GATEWAY_PORT'] + '/health/live', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
