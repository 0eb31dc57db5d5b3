"""Measures the least time a run can take: a plain HTTP client downloads the lists that a run requests.

Prints the seconds, without those for creating the client, and the bytes.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from kubernetes import config

from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import PARALLEL
from kubevitals.inventory.listing import PAGE, Listing


def main() -> None:
    """Download each list once, with as many parallel requests as a run."""
    api: Any = config.new_client_from_config()
    listings = [listing for listing in Cluster.listings() if listing.name not in ("secrets", "node_events")]
    with ThreadPoolExecutor(PARALLEL) as pool:
        began = perf_counter()
        size = sum(pool.map(lambda listing: _download(api, listing), listings))
        sys.stdout.write(f"{perf_counter() - began} {size}\n")


def _download(api: Any, listing: Listing[Any]) -> int:
    url = f"{api.configuration.host}{listing.path}?limit={PAGE}&resourceVersion=0"
    manager, size = api.rest_client.pool_manager, 0
    response = manager.request("GET", url, headers={"Accept": listing.accept, **_token(api)}, preload_content=False)
    while part := response.read1(1 << 20):
        size += len(part)
    response.release_conn()
    return size


def _token(api: Any) -> dict[str, str]:
    keys: dict[str, str] = api.configuration.api_key
    return {name: value for name, value in keys.items() if name == "authorization"}


if __name__ == "__main__":
    main()
