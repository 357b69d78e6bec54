"""An SMTP server of another make: keeps each mail as a file in the folder that it is given, and prints its port."""

import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    def __init__(self, folder):
        self.folder, self.count = folder, 0

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        temporary = self.folder / f"{self.count:04}.part"
        head = f"X-Envelope: {envelope.mail_from} > {','.join(envelope.rcpt_tos)}\r\n".encode()
        temporary.write_bytes(head + envelope.original_content)
        temporary.rename(self.folder / f"{self.count:04}.eml")
        return "250 kept"


async def main():
    keep = Keep(pathlib.Path(sys.argv[1]))
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keep, hostname="sink.example.com"), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
