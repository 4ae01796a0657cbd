"""This package, its bulk functions."""

from openrouter_files import download_many, upload_many

from . import ours


class Client(ours.Client):
    """Jobs instead of calls: preflight, outcomes, pace. ``keep`` as for jobs of millions."""

    async def upload(self):
        job = self._job
        report = await upload_many(self._files, job.paths, concurrency=job.concurrency, keep="problems")
        if not report.ok or report.statistics.bytes != job.count * job.size:
            raise RuntimeError(str(report))

    async def download(self):
        job = self._job
        await download_many(self._files, job.ids, job.out, concurrency=job.concurrency, keep="problems")
