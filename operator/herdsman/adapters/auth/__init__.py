"""Who asks: tokens of an OpenID issuer, tokens for machines, or, where there are neither, this machine.

config   what tokens are judged by          judge    `build`: the whole, from a config
web      HTTP to an issuer                   keys     its public keys, kept
oidc     its tokens                          tokens   tokens for machines

Nothing is imported here: the command line wants `web` without the rest.
"""
