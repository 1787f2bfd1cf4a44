# The image of vault-jwt-login: the static program and nothing else. It has the
# trust anchors of the web inside, so no file of certificates is needed.
#
#   cargo static                        builds the program and says where it is
#   cp "$(cargo static | cut -f2)" vault-jwt-login
#   docker build -t registry.example.com/vault-jwt-login:0.1.0 .
#
# `cargo image` makes the same image without Docker.
FROM scratch
COPY --chmod=0755 vault-jwt-login /vault-jwt-login
# A number, so that runAsNonRoot can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/vault-jwt-login"]
