# Two commands from a fresh clone: `make lab` and `make test`. `make help` lists the rest.
# 新克隆之后只需两条命令：`make lab` 与 `make test`。其余见 `make help`。

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# More words for the program a target runs: make test ARGS='-k presence -x'
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help lab test check refresh demo peers system clean

help: ## what there is / 有哪些目标
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: $(VENV)/.lab ## open the lessons in JupyterLab / 在 JupyterLab 里打开课程
	$(BIN)/jupyter lab notebooks/ --LabApp.default_url=/lab/tree/$(first-lesson) $(as-root) $(ARGS)

test: $(VENV)/.test ## run every test, notebooks too / 运行全部测试，包括笔记本
	$(BIN)/pytest --nbval $(ARGS)

check: $(VENV)/.test ## lint, format and types / 代码风格、格式与类型检查
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

refresh: $(VENV)/.test ## run the lessons and store their outputs / 重新运行课程并保存输出
	$(BIN)/python -m wsgateway.lab.refresh $(ARGS)

demo: $(VENV)/.lab ## three gateways, one killed, told step by step / 三个网关，杀掉一个，逐步讲解
	$(BIN)/python -m wsgateway.demo $(ARGS)

peers: ## other servers, for python -m wsgateway.bench compare / 用来对比的其他服务
	$(PYTHON) -m venv benchmarks/peers/.venv
	benchmarks/peers/.venv/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers/requirements.txt
	cd benchmarks/peers/socketio-node && npm ci --silent

system: ## what some tests need from Debian: HAProxy, Java, Maven / 部分测试需要的系统软件包
	$(as-admin) apt-get update --quiet
	$(as-admin) apt-get install --yes --no-upgrade --no-install-recommends haproxy maven openjdk-17-jre-headless

clean: ## remove .venv and caches / 删除 .venv 与各种缓存
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

first-lesson = $(notdir $(firstword $(sort $(wildcard notebooks/*.ipynb))))

# Why: JupyterLab refuses to start as root unless told; in a container root is the only user.
# 原因：JupyterLab 默认拒绝以 root 启动，而容器里往往只有 root。
as-root = $(if $(filter 0,$(shell id -u)),--allow-root)

as-admin = $(if $(filter 0,$(shell id -u)),,sudo)

# One stamp per extra: .venv/.lab holds what the lessons need, .venv/.test what the tests need.
# Why: a stamp is written only after pip succeeded, so an interrupted install runs again.
# 原因：pip 成功之后才写标记文件，安装中断了下次会重新来过。
$(VENV)/.%: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'wsgateway: $(PYTHON) is missing or older than Python 3.11; name a newer one: make PYTHON=python3.12 ...' >&2; \
	  echo 'wsgateway: $(PYTHON) 不存在或低于 Python 3.11；请指定更新的解释器：make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'wsgateway: $(PYTHON) cannot make environments with pip; on Debian or Ubuntu: sudo apt install python3-venv' >&2; \
	  echo 'wsgateway: $(PYTHON) 无法创建带 pip 的虚拟环境；Debian 或 Ubuntu 上请执行：sudo apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
