"""How envelopes travel between gateways: one module per router, each with `make`."""

from importlib import import_module

from wsgateway.config import Config
from wsgateway.errors import ConfigError
from wsgateway.presence.base import Claims
from wsgateway.routers.base import Router


def make_router(config: Config, claims: Claims) -> Router:
    """Return the router that `config` names, not started.

    Raises:
        ConfigError: what it needs is not installed, or a setting does not fit it.
    """
    try:
        module = import_module(f"wsgateway.routers.{config.router}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"router {config.router!r} needs {error.name}: pip install 'wsgateway[{config.router}]'"
        ) from None
    router: Router = module.make(config, claims)
    return router
