"""Both ends of a connection between two pods: `serve PORT LIFETIME` and `measure ADDRESS PORT MOST_BYTES MOST_SECONDS`.

The client says with one byte what is to come: E, that each byte is to be sent back; U, that it sends until it has no
more to say; D, that the server sends, so many bytes and seconds. Whoever receives takes the time.
"""

import json
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 18
ECHOES = 200
CONNECT_TIMEOUT_S = 10.0
SILENCE_S = 15.0


def receive(peer: socket.socket) -> tuple[int, float]:
    """Bytes until the other end has no more to say, and the seconds since the first of them."""
    buffer, got, start = bytearray(BLOCK), 0, time.perf_counter()
    while count := peer.recv_into(buffer):
        if not got:
            start = time.perf_counter()
        got += count
    return got, time.perf_counter() - start


def send(peer: socket.socket, most_bytes: int, most_s: float) -> None:
    """Send until one of the two is reached."""
    block, sent, start = bytes(BLOCK), 0, time.perf_counter()
    while sent < most_bytes and time.perf_counter() - start < most_s:
        peer.sendall(block)
        sent += BLOCK
    peer.shutdown(socket.SHUT_WR)


def answer(peer: socket.socket) -> None:
    """One connection."""
    with peer:
        peer.settimeout(SILENCE_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wanted = peer.recv(1)
        if wanted == b"E":
            while byte := peer.recv(1):
                peer.sendall(byte)
        elif wanted == b"U":
            peer.sendall(struct.pack("!Qd", *receive(peer)))
        elif wanted == b"D":
            most_bytes, most_s = struct.unpack("!Qd", peer.recv(16, socket.MSG_WAITALL))
            send(peer, most_bytes, most_s)


def serve(port: int, lifetime_s: float) -> None:
    """Answer until the time is over."""
    end = time.monotonic() + lifetime_s
    with socket.create_server(("", port)) as server:
        while (left := end - time.monotonic()) > 0:
            server.settimeout(left)
            try:
                peer, _ = server.accept()
            except TimeoutError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()


def connect(address: str, port: int) -> socket.socket:
    """A connection; the server may not have begun to listen yet."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            peer = socket.create_connection((address, port), timeout=CONNECT_TIMEOUT_S)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        peer.settimeout(SILENCE_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer


def round_trips(address: str, port: int, most_s: float) -> list[float]:
    """Seconds of single bytes there and back, the shortest first."""
    times: list[float] = []
    with connect(address, port) as peer:
        peer.sendall(b"E")
        start = time.perf_counter()
        while len(times) < ECHOES and (not times or time.perf_counter() - start < most_s):
            begin = time.perf_counter()
            peer.sendall(b"x")
            if not peer.recv(1):
                raise ConnectionError("the other end closed the connection")
            times.append(time.perf_counter() - begin)
    return sorted(times)


def measure(address: str, port: int, most_bytes: int, most_s: float) -> dict[str, float]:
    """Measure both directions and the round trip."""
    times = round_trips(address, port, most_s)
    with connect(address, port) as peer:
        peer.sendall(b"U")
        send(peer, most_bytes, most_s)
        up_bytes, up_s = struct.unpack("!Qd", peer.recv(16, socket.MSG_WAITALL))
    with connect(address, port) as peer:
        peer.sendall(b"D" + struct.pack("!Qd", most_bytes, most_s))
        down_bytes, down_s = receive(peer)
    return {
        "round_trip_s": times[len(times) // 2],
        "up_bytes": up_bytes,
        "up_s": up_s,
        "down_bytes": down_bytes,
        "down_s": down_s,
    }


def main(address: str, port: int, most_bytes: int, most_s: float) -> None:
    """Print what was measured, or why nothing was."""
    try:
        print(json.dumps(measure(address, port, most_bytes, most_s)))
    except (OSError, struct.error) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), float(sys.argv[3]))
    else:
        main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
