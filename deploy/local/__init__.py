"""The native runner: everything on this machine, nothing but Debian and Python needed first.

`__main__.py` is the command line (`setup`, `run`, `stop`, `supervise`). Only the standard library is used
here, because the first step runs before the virtual environment exists; `demo_receiver.py` is the one
exception and runs inside it. The tests start their PostgreSQL and RabbitMQ with the same modules.
"""
