"""A web server for one folder, on loopback: `server.py FOLDER`. It prints its port.

It hands files to the kernel (sendfile), so that neither it nor its language is what is measured. It
ends when its standard input does.
"""

import os
import signal
import socket
import sys
import threading

PIECE = 64 << 20


def head(status: str, length: int) -> bytes:
    """What stands before a body of so many bytes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode()


def answer(connection: socket.socket, folder: str) -> None:
    """Answers one request with a whole file, or 404."""
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(4096)
        if not received:
            return
        request += received
    method, target, _ = request.split(b" ", 2)
    path = os.path.join(folder, os.path.basename(target.decode()))
    if not os.path.isfile(path):
        connection.sendall(head("404 Not Found", 0))
        return
    with open(path, "rb") as file:
        length = os.fstat(file.fileno()).st_size
        connection.sendall(head("200 OK", length))
        position = 0
        while method == b"GET" and position < length:
            position += os.sendfile(connection.fileno(), file.fileno(), position, PIECE)


def serve(connection: socket.socket, folder: str) -> None:
    """Answers, whatever the client does."""
    with connection:
        try:
            answer(connection, folder)
        except ConnectionError:
            pass  # the client was interrupted


def main() -> None:
    # A Ctrl-C is for the benchmark, which ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = sys.argv[1]
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, folder), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
