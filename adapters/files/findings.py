"""What stops an import before or between its rows; a broken row is no such thing, it is a value."""

from models.domain.errors import ShenguanError


class FileUnreadable(ShenguanError):  # noqa: N818 - named as the finding it is
    """The file cannot be read on; ``message`` is Chinese and names the file, no content."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(file, message)
        self.file = file
        self.message = message

    def __str__(self) -> str:
        return f"{self.file}：{self.message}"


class MappingWrong(ShenguanError):  # noqa: N818 - named as the finding it is
    """A mapping that cannot be used; ``problems`` are all of them, in Chinese."""

    def __init__(self, file: str, problems: tuple[str, ...]) -> None:
        super().__init__(file, problems)
        self.file = file
        self.problems = problems

    def __str__(self) -> str:
        return f"{self.file}：" + "；".join(self.problems)
