# Needs make, python3 (3.11 or newer) and a package registry as pip knows it; nothing else.
# Debian's packages for browser and fault tests are optional: see `make deps`.

PYTHON ?= python3
SEED   ?= 20260701
CASES  ?= 2000
ROUNDS ?= 3
SIZES  ?= 10000 100000 500000
WAITING ?= 10000 100000 1000000
DATA   ?= ../shared/data
# SECOND_GATEWAY=1: a second SMS gateway beside the first, for demo and up.
GATEWAY := $(if $(SECOND_GATEWAY),--second-gateway)

VENV  := .venv
RUN   := $(VENV)/bin
STAMP := $(VENV)/installed

# The embedded PostgreSQL keeps its socket where the login says; without a login, below var/.
ifeq ($(XDG_RUNTIME_DIR),)
export XDG_RUNTIME_DIR := $(CURDIR)/var/xdg
$(shell mkdir -p -m 700 $(XDG_RUNTIME_DIR))
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DO_NOT_TRACK := 1

FAULTS := $(RUN)/python -m tests.faults $(if $(ROW),--row $(ROW)) $(if $(filter command line environment,$(origin SEED)),--seed $(SEED))

.PHONY: help demo up test test-ui faults faults-long real bench bench-latency bench-moment bench-mirror bench-workers bench-growth deps lock clean .venv
.DELETE_ON_ERROR:

help:
	@echo "make demo [SEED=$(SEED)] [CASES=$(CASES)]   整个闭环跑一遍，自行结束，结果在 var/demo/summary.json"
	@echo "make up      启动并保持运行：界面 http://127.0.0.1:4200，Ctrl-C 结束；SECOND_GATEWAY=1 另起备用短信网关"
	@echo "make test    全部检查与测试；末行为 N passed, N failed"
	@echo "make faults [ROW=n] [SEED=s]   逐行注入故障并从外部核对，结果在 var/faults/report.json"
	@echo "make faults-long   换种子不停地做，直到 Ctrl-C"
	@echo "make real    真实记录跑一遍闭环（数据目录 DATA=$(DATA)）"
	@echo "make bench [CASES=$(CASES)] [ROUNDS=$(ROUNDS)]   与同类系统及裸机极限比较，结果与图在 var/bench/"
	@echo "make bench-latency  从发布到推送、首条短信用多久，有 Prefect 与停掉它，结果在 var/bench/latency.json"
	@echo "make bench-mirror   镜像的速度与落后、Prefect 数据库的大小，结果在 var/bench/mirror.json"
	@echo "make bench-workers  同一台账上一、二、四个进程，结果在 var/bench/workers.json"
	@echo "make bench-growth [SIZES=\"$(SIZES)\"] [WAITING=\"$(WAITING)\"]   台账增长与积压时的代价，结果与图在 var/bench/"
	@echo "make deps    安装浏览器与故障测试所需的 Debian 软件包（需要 root）"
	@echo "make lock    重新生成 requirements.lock"
	@echo "make clean   删除 var/ 与缓存（虚拟环境保留）"

.venv: $(STAMP)

# The stamp holds what it was installed from: a new lock, another project file or another python
# installs again, a mere touch of a file does not.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "需要 Python 3.11 或更新的版本，现为 " + sys.version.split()[0])'
	@$(PYTHON) .ci/install.py $(VENV)

demo: $(STAMP)
	@exec $(RUN)/shenguan demo --seed $(SEED) --cases $(CASES) $(GATEWAY)

up: $(STAMP)
	@exec $(RUN)/shenguan up --seed $(SEED) --cases $(CASES) $(GATEWAY)

test: $(STAMP)
	@exec $(RUN)/python .ci/checks.py

test-ui: $(STAMP)
	@exec $(RUN)/python .ci/checks.py --only browser

faults: $(STAMP)
	@exec $(FAULTS)

faults-long: $(STAMP)
	@exec $(FAULTS) --long

real: $(STAMP)
	@exec $(RUN)/shenguan real --data $(DATA)

bench: $(STAMP)
	@exec $(RUN)/python -m benchmarks --cases $(CASES) --rounds $(ROUNDS)

# From publication to the first moment, through a running dispatcher; about twelve minutes.
bench-latency bench-moment: $(STAMP)
	@exec $(RUN)/shenguan bench latency

# The mirror and Prefect's database, before and after retention; about half an hour.
bench-mirror: $(STAMP)
	@exec $(RUN)/shenguan bench mirror

# One, two and four workers on one ledger; about three minutes.
bench-workers: $(STAMP)
	@exec $(RUN)/python -m benchmarks.workers

# A ledger of 10,000 to 500,000 settled cases, and up to a million waiting ones; takes long, and 20 GB.
bench-growth: $(STAMP)
	@exec $(RUN)/python -m benchmarks.growth --sizes $(SIZES) --waiting $(WAITING)

deps:
	@if [ "$$(id -u)" != 0 ]; then echo "make deps 安装系统软件包，需要 root：sudo make deps" >&2; exit 2; fi
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-noto-cjk strace faketime

# uv lives in a place of its own: the lock must not lock the tool that writes it.
lock:
	@mkdir -p var
	@test -x var/lock-tool/bin/uv || { $(PYTHON) -m venv var/lock-tool && var/lock-tool/bin/python -m pip install -q uv; }
	var/lock-tool/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
	  --no-emit-index-url --python-version 3.11 -o requirements.lock

clean:
	@if [ -d var ]; then for pids in var/*/pids.json; do \
	  if [ -s "$$pids" ]; then echo "$$pids：似乎仍有进程在运行，请先结束" >&2; exit 2; fi; done; fi
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
