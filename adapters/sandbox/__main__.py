"""`python -m adapters.sandbox platform|credit|sms|sms-aliyun …`: one simulator in its own process."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from adapters.sandbox.aliyun import AliyunGateway
from adapters.sandbox.app import Options, Simulator, serve
from adapters.sandbox.credit import Credit
from adapters.sandbox.platform import Platform
from adapters.sandbox.sms import Gateway

_KINDS: dict[str, type[Simulator]] = {
    "platform": Platform,
    "credit": Credit,
    "sms": Gateway,
    "sms-aliyun": AliyunGateway,
}


def main() -> int:
    """Exit code 0 after SIGTERM; 2 when the command line or a file it names is wrong."""
    parser = argparse.ArgumentParser(prog="adapters.sandbox", description="外部系统仿真：平台、信用、短信")
    parser.add_argument("kind", choices=sorted(_KINDS))
    parser.add_argument("--port", type=int, default=0, help='0 = 任选空闲端口，首行输出 {"port":N}')
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--world", type=Path, required=True, help="世界文件目录")
    parser.add_argument("--ledger", type=Path, required=True, help="台账 JSONL")
    parser.add_argument("--feed", type=Path, required=True, help="已供出记录 JSONL")
    parser.add_argument("--listener", default="", help="短信回执接收地址")
    parser.add_argument("--keys", type=Path, help="JSON {密钥标识: 密钥}；缺省为 demo 与环境变量 SIM_SECRET")
    parser.add_argument("--light", action="store_true", help="性能测试：只验签名与必填项，不 fsync")
    given = parser.parse_args()
    try:
        keys = json.loads(given.keys.read_bytes()) if given.keys else _key_of_environment()
        options = Options(
            port=given.port,
            host=given.host,
            world=given.world,
            ledger=given.ledger,
            feed=given.feed,
            listener=given.listener,
            keys=keys,
            light=given.light,
        )
        asyncio.run(_run(given.kind, options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"仿真未能启动：{error}\n")
        return 2
    return 0


async def _run(kind: str, options: Options) -> None:
    await serve(_KINDS[kind](options))


def _key_of_environment() -> dict[str, str]:
    secret = os.environ.get("SIM_SECRET", "")
    return {"demo": secret} if secret else {}


if __name__ == "__main__":
    sys.exit(main())
