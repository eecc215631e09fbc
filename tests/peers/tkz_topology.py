#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second decoder of the topology of .tkz files, written from docs/format-tkz.md alone.

    tkz_topology.py FILE.tkz FILE.csv

Reads both as traces, each its start in ms since the block's origin and its spans as
depth:service/operation:kind:status; the table is what `tracekit expand --format csv` made of the
file, of one block. Says how many are equal, or which are not.
"""
import csv
import sys
import zlib

M64 = (1 << 64) - 1
TOP = (1 << 32) - 1
DICTIONARY, SYMBOLS, GRAMMAR, EVENTS, ARRIVALS = 1, 2, 3, 4, 5


def round64(x):
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD & M64
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 & M64
    return x ^ x >> 33


def mix_hash(*parts):
    h = parts[0]
    for x in parts[1:]:
        h = round64((h * 0x9E3779B97F4A7C15 + x + 1) & M64)
    return h


def trunc(a, b):
    return a // b if a >= 0 else -(-a // b)


def make_squash():
    e, half = 1 << 62, []
    for _ in range(2048):
        half.append(min((1 << 78) // ((1 << 62) + e), 65535))
        e = e * 4593706758521714574 >> 62
    return {l: half[l] if l >= 0 else 65536 - half[-l] for l in range(-2047, 2048)}


SQUASH = make_squash()
STRETCH = []
for _i in range(4096):
    _l = STRETCH[-1] if STRETCH else -2047
    while _l < 2047 and SQUASH[_l] < 16 * _i + 8:
        _l += 1
    STRETCH.append(_l)


class Model:
    __slots__ = ("p", "n")

    def __init__(self):
        self.p, self.n = 1 << 21, 0

    def odds(self):
        return self.p >> 6 | 1

    def learn(self, bit):
        goal = (1 << 22) - 1 if bit else 0
        self.p += trunc((goal - self.p) * (655360 // (10 * self.n + 16)), 65536)
        self.n = min(self.n + 1, 255)


class Coder:
    def __init__(self, data):
        self.data, self.at, self.range = data, 4, (1 << 32) - 1
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def fill(self):
        while self.range < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.at += 1
            self.range = self.range << 8 & TOP
            self.code = (self.code << 8 | byte) & TOP

    def decision(self, p):
        bound = self.range * p >> 16
        bit = self.code < bound
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        self.fill()
        return int(bit)

    def bit(self, model):
        bit = self.decision(model.odds())
        model.learn(bit)
        return bit

    def even(self, n):
        self.range //= n
        value = min(self.code // self.range, n - 1)
        self.code -= value * self.range
        self.fill()
        return value

    def raw(self, bits):
        value = 0
        while bits > 0:
            some = min(bits, 16)
            bits -= some
            value = value << some | self.even(1 << some)
        return value

    def tree(self, models, bits):
        node = 1
        for _ in range(bits):
            node = node << 1 | self.bit(models.setdefault(node, Model()))
        return node - (1 << bits)

    def exp(self, models):
        length = self.tree(models.setdefault("length", {}), 7)
        if length < 2:
            return length
        top = min(length - 1, 2)
        value = 1 << top | self.tree(models.setdefault(length, {}), top)
        left = length - 1 - top
        while left > 0:
            some = min(left, 32)
            left -= some
            value = value << some | self.raw(some)
        return value


class Mixed:
    def __init__(self, coder, values, least, most, inputs):
        self.bits = least
        while self.bits < most and 1 << self.bits < 8 * values:
            self.bits += 1
        self.coder, self.inputs, self.table, self.weights = coder, inputs, {}, {}

    def bucket(self, h):
        check, place = h >> 32 | 1, h & ((1 << self.bits) - 1)
        for at in (place, place ^ 1):
            if at in self.table and self.table[at][0] == check:
                return at
        second = place in self.table and (
            place ^ 1 not in self.table
            or self.table[place ^ 1][1][1].n < self.table[place][1][1].n)
        at = place ^ 1 if second else place
        self.table[at] = (check, [Model() for _ in range(16)])
        return at

    def mixed_bit(self, weights, models):
        logits = [trunc(STRETCH[m.odds() >> 4] * (512 * m.n // (2 * m.n + 1)), 256) for m in models]
        total = trunc(sum(t * w for t, w in zip(logits, weights)), 65536)
        p = SQUASH[max(-2047, min(2047, total))]
        bit = self.coder.decision(p)
        miss = (65535 if bit else 0) - p
        for i, t in enumerate(logits):
            weights[i] += trunc(t * miss * 6, 1 << 19)
            models[i].learn(bit)
        return bit

    def value(self, kind, bits, hashes):
        value, chunk = 0, 0
        while bits > 0:
            n = bits % 4 or 4
            bits -= n
            places = [self.bucket(mix_hash(h, chunk << 32 | value)) for h in hashes]
            buckets = [self.table[at][1] for at in places]
            weights = self.weights.setdefault((kind, min(chunk, 7)),
                                              [65536 * 5 // (4 * self.inputs)] * self.inputs)
            node = 1
            for _ in range(n):
                node = node << 1 | self.mixed_bit(weights, [b[node] for b in buckets])
            value = value << n | node - (1 << n)
            chunk += 1
        return value


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def read_dictionary(data):
    count, at = varint(data, 1)
    size, at = varint(data, at)
    if data[0] != 0:
        sys.exit("tkz_topology: a packed dictionary is not for this decoder")
    mixed = Mixed(Coder(data[at:]), size, 12, 18, 6)
    past, places, last, match, hits, texts = bytearray(), [0] * 4096, 0, 0, 0, [b""]
    text, escaped = bytearray(), False
    while len(texts) <= count:
        hashes = [mix_hash(i, last & ((1 << 8 * n) - 1)) for i, n in enumerate((1, 2, 3, 4, 6))]
        expected = past[match] if match else 256
        hashes.append(mix_hash(5, expected << 4 | min(hits, 15)))
        byte = mixed.value(0, 8, hashes)
        match, hits = (match + 1, hits + 1) if match and past[match] == byte else (0, 0)
        past.append(byte)
        last = (last << 8 | byte) & M64
        slot = mix_hash(0, last & ((1 << 40) - 1)) >> 52
        match = match or places[slot]
        places[slot] = len(past)
        if escaped or byte > 1:
            text.append(byte)
            escaped = False
        elif byte == 1:
            escaped = True
        else:
            texts.append(bytes(text))
            text = bytearray()
    return texts


def read_symbols(data):
    count, at = varint(data, 0)
    coder, models, nexts, symbols = Coder(data[at:]), {}, [1], []

    def text(field, near, before):
        if coder.bit(models.setdefault((field, near), Model())):
            return before
        back = coder.exp(models.setdefault(field, {}))
        result = nexts[0] - back
        nexts[0] += back == 0
        return result

    before = (0, 0, 0, 0, 0, 0)
    for _ in range(count):
        service = text("service", 0, before[0])
        operation = text("operation", int(service == before[0]), before[1])
        rest = [coder.tree(models.setdefault(f, {}), b)
                for f, b in (("kind", 8), ("status", 8), ("class", 4))]
        near = int((service, operation) == before[:2])
        orphan = coder.bit(models.setdefault(("orphan", near), Model()))
        before = (service, operation, *rest, orphan)
        symbols.append(before)
    return symbols


def read_grammar(data, symbol_count, spans):
    """Subtrees as (symbol, [(subtree, count)]), and those that are shapes."""
    count, at = varint(data, 0)
    coder = Coder(data[at:])
    mixed = Mixed(coder, spans, 8, 14, 6)
    subtrees, known, numbers, shapes, counts = [], {}, {}, [], {}

    def tell(symbol, above):
        """The runs of a subtree, in a loop of frames."""
        frames = [[symbol, above, [], [1, 1], 0, (known.get(symbol) or [None])[-1], 0, 1]]
        while True:
            frame = frames[-1]
            symbol, above, runs, before, z, like, mark, _ = frame
            told = subtrees[like][1] if like is not None else []

            def hashes(first, y, told=told, mark=mark, frame=frame):
                expected = subtrees[told[mark][0]][0] + 1 if mark < len(told) else 0
                own = mix_hash(y, frame[0])
                two = mix_hash(own, frame[3][0])
                return [mix_hash(first, y), mix_hash(first + 1, own), mix_hash(first + 2, two),
                        mix_hash(first + 3, mix_hash(two, frame[3][1])),
                        mix_hash(first + 4, mix_hash(two, expected)),
                        mix_hash(first + 5, mix_hash(own, frame[4], frame[1]))]

            child = mixed.value(0, symbol_count.bit_length(), hashes(0, 0)) - 1
            if child >= 0:
                number = mixed.value(1, len(known.get(child, [])).bit_length(),
                                     hashes(16, child + 1))
                contexts = hashes(32, child + 1)
                contexts[0] = mix_hash(contexts[0], number)
                times = mixed.value(2, 4, contexts) + 1
                if times == 16:
                    times += coder.exp(counts)
                if number == 0:
                    frames.append([child, symbol, [], [1, 1], 0,
                                   (known.get(child) or [None])[-1], 0, times])
                    continue
                subtree = known[child][number - 1]
            else:
                subtree, times = len(subtrees), frame[7]
                subtrees.append((symbol, runs))
                known.setdefault(symbol, []).append(subtree)
                numbers[subtree] = len(known[symbol])
                frames.pop()
                if not frames:
                    return subtree
                frame, child = frames[-1], symbol
                told = subtrees[frame[5]][1] if frame[5] is not None else []
            frame[2].append((subtree, times))
            frame[3] = [child + 2, frame[3][0]]
            frame[4] = mix_hash(child, numbers[subtree]) & TOP
            for i in range(frame[6], min(len(told), frame[6] + 16)):
                if subtrees[told[i][0]][0] == child:
                    frame[6] = i + 1
                    break

    for _ in range(count):
        shapes.append(tell(TOP, TOP))
    return subtrees, shapes


def read_events(data, traces, subtrees, shapes):
    mixed = Mixed(Coder(data[1:]), traces, 8, 14, 5)
    entries, by_entry = {}, []
    for shape, subtree in enumerate(shapes):
        symbol = subtrees[subtrees[subtree][1][0][0]][0]
        if symbol not in entries:
            entries[symbol] = len(by_entry)
            by_entry.append([])
        by_entry[entries[symbol]].append(shape)
    seen, own, e, s = [0] * len(by_entry), [(0, 0)] * len(by_entry), (0, 0), (0, 0)
    for _ in range(traces):
        i = mixed.value(0, (len(by_entry) - 1).bit_length(), [
            mix_hash(0, 0), mix_hash(1, e[0]), mix_hash(2, e[0], e[1]), mix_hash(3, s[0]),
            mix_hash(4, s[0], s[1])])
        base = mix_hash(8, i)
        last = mix_hash(base, s[0])
        number = mixed.value(1, len(by_entry[i]).bit_length(), [
            base, mix_hash(9, base, own[i][0]), mix_hash(9, base, own[i][0], own[i][1]), last,
            mix_hash(11, last, s[1])])
        if number == 0:
            seen[i] += 1
            number = seen[i]
        shape = by_entry[i][number - 1]
        own[i], e, s = (number, own[i][0]), (i + 1, e[0]), (shape + 1, s[0])
        yield shape


def half_octave(x):
    n = x.bit_length()
    return x if n < 2 else n << 1 | x >> (n - 2) & 1


def read_arrivals(data, traces, shapes):
    _, at = varint(data, 0)
    coder = Coder(data[at:])
    mixed = Mixed(coder, traces, 8, 14, 6)
    start = pace = c1 = c2 = before = 0
    for s in shapes:
        p = half_octave(pace)
        n = mixed.value(0, 6, [mix_hash(0, 0), mix_hash(1, c1, c2), mix_hash(2, s),
                               mix_hash(3, s, before), mix_hash(4, p), mix_hash(5, p, c1)])
        delta = n
        if n > 1:
            top = min(n - 1, 3)
            delta = 1 << top | mixed.value(1, top, [mix_hash(8, n), mix_hash(9, n, s),
                                                    mix_hash(10, n, p)])
            left = n - 1 - top
            while left > 0:
                some = min(left, 32)
                left -= some
                delta = delta << some | coder.raw(some)
        start += delta
        pace += delta - (pace >> 3)
        c1, c2, before = n, c1, s
        yield start


def spans_of(subtrees, subtree, depth=0):
    for child, times in subtrees[subtree][1]:
        for _ in range(times):
            yield depth, subtrees[child][0]
            yield from spans_of(subtrees, child, depth + 1)


def read_block(data):
    """Traces, spans, origin and sections by type of the first block."""
    size, crc = (int.from_bytes(data[i:i + 4], "little") for i in (4, 8))
    body = data[12:12 + size]
    if data[:4] != b"tkzB" or zlib.crc32(body) != crc:
        sys.exit("tkz_topology: no block")
    fields, place, sections, at = [], 0, {}, 12 + size
    for _ in range(21):
        field, place = varint(body, place)
        fields.append(field)
    for _ in range(fields[20]):
        kind, place = varint(body, place)
        length, place = varint(body, place)
        place += 4
        sections[kind >> 1] = data[at:at + length]
        at += length
    return fields[12], fields[13], fields[10] >> 1 ^ -(fields[10] & 1), sections


def traces_of_csv(path, origin_ns):
    """The rows of a trace stand together, parents before children."""
    kinds = ("unspecified", "internal", "server", "client", "producer", "consumer")
    statuses = ("unset", "ok", "error")
    traces = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            traces.setdefault(row["trace_id"], []).append(row)
    for rows in traces.values():
        depths, spans = {}, []
        for row in rows:
            depth = depths.get(row["parent_span_id"], -1) + 1
            depths[row["span_id"]] = depth
            spans.append("%d:%s/%s:%d:%d" % (depth, row["service"], row["name"],
                                             kinds.index(row["kind"]),
                                             statuses.index(row["status"])))
        start_ns = min(int(row["start_ns"]) for row in rows)
        yield (start_ns - origin_ns) // 1000000, " ".join(spans)


def traces_of_block(traces, spans, sections):
    texts = [text.decode() for text in read_dictionary(sections[DICTIONARY])]
    symbols = read_symbols(sections[SYMBOLS])
    subtrees, shapes = read_grammar(sections[GRAMMAR], len(symbols), spans)
    names = ["%s/%s:%d:%d" % (texts[s[0]], texts[s[1]], s[2], s[3]) for s in symbols]
    lines = [" ".join("%d:%s" % (depth, names[symbol]) for depth, symbol in spans_of(subtrees, s))
             for s in shapes]
    events = list(read_events(sections[EVENTS], traces, subtrees, shapes))
    starts = read_arrivals(sections[ARRIVALS], traces, events)
    return [(start, lines[shape]) for start, shape in zip(starts, events)]


def main():
    with open(sys.argv[1], "rb") as file:
        traces, spans, origin_ns, sections = read_block(file.read())
    told = traces_of_block(traces, spans, sections)
    given = list(traces_of_csv(sys.argv[2], origin_ns))
    if len(told) != len(given):
        sys.exit("tkz_topology: %d traces, %d in the table" % (len(told), len(given)))
    for i, (a, b) in enumerate(zip(told, given)):
        if a[1] != b[1]:
            sys.exit("tkz_topology: trace %d: %s, %s in the table" % (i, a[1], b[1]))
    # The first span of a trace may be one whose time is known within the error only.
    late = sum(a[0] != b[0] for a, b in zip(told, given))
    if late * 100 > len(told):
        sys.exit("tkz_topology: %d traces start at other times in the table" % late)
    print("%d traces, all equal" % len(told))


if __name__ == "__main__":
    main()
