# phasebot as a container: docs/install.md. Images are pinned by digest; a new
# one is read off with: docker buildx imagetools inspect NAME:TAG
#
# `docker build .` compiles. scripts/release/image puts the released binaries
# in place of the first stage.

FROM rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS binaries
ARG TARGETARCH
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin phasebot \
    && install -D target/release/phasebot /${TARGETARCH}/phasebot \
    && install -d -m 0700 /data

# glibc, CA certificates, time zones; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
ARG TARGETARCH
COPY --from=binaries /${TARGETARCH}/phasebot /usr/local/bin/phasebot
COPY --from=binaries --chown=10001:10001 --chmod=0700 /data /data

USER 10001:10001
WORKDIR /data
VOLUME /data
# The private address stays the container's own: 127.0.0.1:9090.
ENV PHASEBOT_LISTEN=0.0.0.0:8080 \
    PHASEBOT_DATABASE_URL=sqlite:///data/phasebot.db
EXPOSE 8080
# SIGTERM: not ready, end what is under way within 20 s, exit 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["phasebot", "healthcheck"]
ENTRYPOINT ["phasebot"]
CMD ["serve"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="phasebot" \
      org.opencontainers.image.description="Labels every issue and pull request with its DevOps phase, gates releases, and runs deployments" \
      org.opencontainers.image.url="https://github.com/phasebot/phasebot" \
      org.opencontainers.image.source="https://github.com/phasebot/phasebot" \
      org.opencontainers.image.documentation="https://github.com/phasebot/phasebot/blob/main/docs/install.md" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
