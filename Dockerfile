# UNVERIFIED: written where there is no container engine. What runs in it, the bundle, is what the e2e promises run.
#   docker build -t bigfleet:0.1.0 .
FROM node:24-slim AS bundle
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY . .
RUN node hack/bundle.ts /bundle

FROM node:24-slim
COPY --from=bundle --chown=0:0 /bundle /app
# Nothing is written outside of --data-dir, so the root may be read-only.
ENV NODE_ENV=production
USER 65532:65532
WORKDIR /
# Of the container's limit. Node's own default is half of it, or less: the kernel would never see the rest used, and the process would die of a full heap.
ENTRYPOINT ["node", "--max-old-space-size-percentage=75", "/app/src/main.ts"]
CMD ["--help"]
