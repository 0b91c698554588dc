# One image for every role: a static binary, nothing else, no root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The version for "wxgate --version": .git is not in the build's context. docker build --build-arg VERSION=$(git describe --tags --always)
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X wxgate/internal/cli.builtVersion=${VERSION}" -o /wxgate .
RUN mkdir -m 0700 /image-data && mkdir -m 1777 /image-tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /wxgate /wxgate
COPY --from=build --chown=65532:65532 /image-data /data
COPY --from=build /image-tmp /tmp
USER 65532:65532
ENTRYPOINT ["/wxgate"]
CMD ["serve"]
