"""Logs are finished lines; what names a person never stands in one."""

import io
import json
import logging
import pickle
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.log_privacy import HIDDEN, PERSONAL_KEYS, PersonalDataLogged, PrivacyGuard
from config.logging import ROOT, configure_logging, get_logger

SILENT = PrivacyGuard(strict=False)
STRICT = PrivacyGuard(strict=True)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before, logger = structlog.get_config(), logging.getLogger(ROOT)
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    structlog.configure(**before)
    logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_away_from_a_terminal() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    log = get_logger("push", case_no="430902-1")
    log.info("push.accepted", receipt="R1", count=2)
    log.debug("push.considered")
    (line,) = lines(stream)
    assert line["event"] == "push.accepted"
    assert (line["case_no"], line["receipt"], line["count"], line["level"]) == ("430902-1", "R1", 2, "info")
    assert str(line["timestamp"]).endswith("Z")


def test_words_for_a_person() -> None:
    stream = io.StringIO()
    configure_logging(form="console", stream=stream)
    get_logger("push").warning("push.held", reason="结果未明")
    assert "push.held" in stream.getvalue()
    assert "reason=结果未明" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_configuring_twice_does_not_write_twice() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    configure_logging(stream=stream, level="debug")
    get_logger("push").debug("push.considered")
    assert len(lines(stream)) == 1


def test_a_line_is_routed_to_its_flow_run() -> None:
    records: list[logging.LogRecord] = []
    configure_logging(stream=io.StringIO())
    catcher = logging.Handler()
    catcher.emit = records.append  # type: ignore[method-assign]
    logging.getLogger(ROOT).addHandler(catcher)
    get_logger("push").info("push.accepted", flow_run_id="f1")
    assert records[0].flow_run_id == "f1"
    assert "flow_run_id" not in records[0].getMessage()


def test_a_traceback_has_no_personal_data_and_no_locals() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    phone = "13800001999"
    try:
        int(f"{phone} and more")
    except ValueError:
        get_logger("push").exception("push.failed")
    (line,) = lines(stream)
    assert phone not in stream.getvalue()
    assert "ValueError" in str(line["exception"])


@pytest.mark.parametrize("key", [*sorted(PERSONAL_KEYS), "XK_XDR_MC", "CF_FRDB", "Phone"])
def test_personal_keys_are_hidden_or_raise(key: str) -> None:
    assert SILENT(None, "info", {"event": "e", key: "value"})[key] == HIDDEN
    with pytest.raises(PersonalDataLogged, match=key) as caught:
        STRICT(None, "info", {"event": "e", "deep": [{"deeper": {key: "value"}}]})
    assert "value" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["43090219900101001X", "号码 13800001999 拨打", "+8613800001999", "(430902199001010012)", "13800001999,"],
)
def test_values_that_look_personal_are_hidden_or_raise(text: str) -> None:
    assert HIDDEN in SILENT(None, "info", {"event": "e", "note": text})["note"]
    assert HIDDEN in SILENT(None, "info", {"event": text})["event"]
    with pytest.raises(PersonalDataLogged, match="by its look"):
        STRICT(None, "info", {"event": "e", "notes": (text,)})


@pytest.mark.parametrize(
    "text",
    [
        "12441500196720244T3442199806003202206230068",
        "PSABCDEFGHJKLMNPQRTUWXY234567ABC",
        "91110000600037341L",
        "2026-03-13T08:00:00+08:00",
        "1773388800000",
        "13800001999x",
        "0.13800001999",
        "430900202607010012",  # a city's own numbers: region, day, serial
        "430900199002300011",  # no such day
    ],
)
def test_keys_numbers_and_times_stay(text: str) -> None:
    assert STRICT(None, "info", {"event": "e", "case_no": text})["case_no"] == text


def test_a_number_that_is_no_text_stays_and_an_object_is_read_as_text() -> None:
    cleaned = SILENT(None, "info", {"event": "e", "count": 13800001999, "error": ValueError("13800001999")})
    assert cleaned["count"] == 13800001999
    assert cleaned["error"] == HIDDEN


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_the_guard_takes_any_shape(value: object) -> None:
    cleaned = SILENT(None, "info", {"event": "e", "value": value})
    assert set(cleaned) >= {"event", "value"}
    assert json.loads(json.dumps(cleaned, default=str))["event"] == "e"


def test_what_is_too_deep_is_hidden() -> None:
    value: object = "13800001999"
    for _ in range(10):
        value = [value]
    assert "13800001999" not in str(SILENT(None, "info", {"event": "e", "value": value}))


def test_the_finding_survives_a_journey() -> None:
    wrong = PersonalDataLogged("e", ("phone",))
    assert str(pickle.loads(pickle.dumps(wrong))) == str(wrong)
