"""The one setting that migrations need: they run before the rest of an installation is there."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.settings import PREFIX, DatabaseUrl, SettingsWrong, variable_of
from config.settings_checks import problem_of


class OwnerSettings(BaseSettings):
    """As the field of the same name in :class:`config.settings.Settings`, and needed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore"
    )

    owner_database_url: DatabaseUrl = Field()


def owner_database_url() -> str:
    """The ledger's address as the role that owns the tables.

    Raises:
        SettingsWrong: it is not set, or no address.
    """
    try:
        return OwnerSettings().owner_database_url.get_secret_value()
    except ValidationError as wrong:
        name = f"{variable_of('owner_database_url')}（台账数据库连接，属主角色）"
        said = tuple(f"{name}：{problem_of(each)}" for each in wrong.errors(include_url=False))
        raise SettingsWrong(said) from None
