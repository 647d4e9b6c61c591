"""PostgreSQL and an S3 store as child processes in a data folder: a whole data centre for one machine.

with embedded(data_dir) as servers:
    settings = servers.settings(base)
"""

from archive.embedded.servers import Servers, embedded

__all__ = ["Servers", "embedded"]
