# phasebot as a container: docs/install.md. Images are pinned by digest; a new
# one is read off with: docker buildx imagetools inspect NAME:TAG

FROM rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin phasebot \
    && install -D target/release/phasebot /out/phasebot

FROM debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin phasebot \
    && install -d -o phasebot -g phasebot -m 0700 /data
COPY --from=build /out/phasebot /usr/local/bin/phasebot

USER phasebot
WORKDIR /data
VOLUME /data
# The private address stays the container's own: 127.0.0.1:9090.
ENV PHASEBOT_LISTEN=0.0.0.0:8080 \
    PHASEBOT_DATABASE_URL=sqlite:///data/phasebot.db
EXPOSE 8080
# SIGTERM: not ready, end what is under way within 20 s, exit 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["phasebot"]
CMD ["serve"]
