#!/bin/sh
# get.sh NST SOURCE: weights/get.sh against a server on 127.0.0.1 that does what servers and networks do: it breaks off,
# forgets how to go on, is slow, redirects, has nothing, has something else. The files are made here; a copy of the script
# under test expects their checksum instead of the real networks'.
set -eu
nst=$1 source=$2
for program in python3 curl; do
    command -v $program >/dev/null 2>&1 || {
        echo "skipped: needs $program"
        exit 77
    }
done
folder=$(mktemp -d "${TMPDIR:-/tmp}/nst-get-test.XXXXXX")
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# ---- The file, and the server ----

mkdir "$folder/weights" "$folder/home"
python3 - "$folder" <<'END'
import hashlib, json, os, struct, sys
# The first two convolutions of a VGG-19, with weights that no codebook holds.
shapes = {"features.0.weight": [64, 3, 3, 3], "features.0.bias": [64],
          "features.2.weight": [64, 64, 3, 3], "features.2.bias": [64]}
header, data = {}, b""
for name, shape in shapes.items():
    count = 1
    for side in shape:
        count *= side
    values = struct.pack(f"<{count}f", *(((i * 7919) % 10007 - 5000) / 1e5 for i in range(count)))
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
    data += values
text = json.dumps(header).encode()
network = struct.pack("<Q", len(text)) + text + data
digits = hashlib.sha256(network).hexdigest()[:8]
open(os.path.join(sys.argv[1], "network"), "wb").write(network)
open(os.path.join(sys.argv[1], "digits"), "w").write(digits)
END
digits=$(cat "$folder/digits")
file=vgg19-$digits.pth
bytes=$(wc -c <"$folder/network" | tr -d ' ')
sed "s/vgg19-dcbb9e9d/vgg19-$digits/" "$source/weights/get.sh" >"$folder/weights/get.sh"
grep -q "$file" "$folder/weights/get.sh" || {
    echo "weights/get.sh does not name vgg19-dcbb9e9d.pth"
    exit 1
}

cat >"$folder/server.py" <<'END'
import http.server, os, sys, time
folder = sys.argv[1]
network = open(os.path.join(folder, "network"), "rb").read()
seen = {}

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def answer(self, data, most=None, pause=0):
        """From the byte that is asked for; `most`: breaks off after so many; `pause`: seconds between 64 bytes."""
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:start + most] if most else data[start:]
        step = 64 if pause else len(rest)
        for i in range(0, len(rest), step):
            self.wfile.write(rest[i:i + step])
            if pause:
                self.wfile.flush()
                time.sleep(pause)

    def do_GET(self):
        way = self.path.split("/")[1]
        seen[way] = seen.get(way, 0) + 1
        with open(os.path.join(folder, "requests"), "a") as log:
            log.write(f"{way} {self.headers.get('Range')}\n")
        if way in ("good", "kept"):
            self.answer(network)
        elif way == "broken":  # comes in three parts
            self.answer(network, most=len(network) * 2 // 5)
        elif way == "forgetful":  # breaks off once, and cannot go on from there
            if seen[way] == 1:
                self.answer(network, most=1000)
            else:
                del self.headers["Range"]
                self.answer(network)
        elif way == "stuck":
            self.answer(network, most=None if seen[way] > 5 else 1)
        elif way == "slow":
            self.answer(network, pause=0.4)
        elif way == "steady":
            self.answer(network[:4096], pause=0.02)
        elif way == "wrong":
            self.answer(bytes(len(network)))
        elif way == "moved":
            self.send_response(302)
            self.send_header("Location", self.path.replace("moved", "good"))
            self.end_headers()
        elif way == "round":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        else:
            self.send_error(503 if way == "ill" else 404)

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    def handle_error(self, request, client_address):
        pass

server = Server(("127.0.0.1", 0), Handler)
with open(os.path.join(folder, "port.new"), "w") as port:
    port.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
END
python3 "$folder/server.py" "$folder" &
server=$!
waited=0
while ! [ -f "$folder/port" ]; do
    waited=$((waited + 1))
    [ $waited -lt 300 ] || {
        echo "the server does not start"
        exit 1
    }
    sleep 0.1
done
address=http://127.0.0.1:$(cat "$folder/port")

# ---- What is checked ----

# get WAY: runs the script with that way of answering; its status is in $status, what it said in $folder/said.
get() {
    : >"$folder/requests"
    status=0
    env -u NST_WEIGHTS_DIR HOME="$folder/home" XDG_DATA_HOME= XDG_CACHE_HOME= TORCH_HOME= NST="$nst" NST_PATIENCE_S=1 \
        NST_TORCHVISION_URL="${2:-$address/$1}" no_proxy=127.0.0.1 \
        sh "$folder/weights/get.sh" vgg19-torchvision "$folder/out" >"$folder/said" 2>&1 || status=$?
}

fail() {
    echo "$way: $*; it said:"
    cat "$folder/said"
    exit 1
}

# The network is there, complete, and nothing else is.
expect_network() {
    [ $status -eq 0 ] || fail "failed with $status"
    [ "$(ls "$folder/out")" = "$(printf 'vgg19-torchvision.safetensors\nvgg19-torchvision.safetensors.sha256')" ] ||
        fail "left something else: $(ls "$folder/out")"
    "$nst" weights info "$folder/out/vgg19-torchvision.safetensors" >"$folder/info" || fail "nst cannot read it"
    grep -q "input    torchvision" "$folder/info" || fail "not torchvision's input"
}

# The script failed, its last line is the one error and says $1, and no network is there. $2: bytes kept in the part.
expect_failure() {
    [ $status -ne 0 ] || fail "did not fail"
    [ "$(grep -c 'get.sh: error: ' "$folder/said")" -eq 1 ] || fail "expected one error"
    tail -n 1 "$folder/said" | grep -q "get.sh: error: .*$1" || fail "expected the error: $1"
    [ ! -e "$folder/out/vgg19-torchvision.safetensors" ] || fail "left a network"
    if [ -n "$2" ]; then
        [ -f "$folder/out/$file.part" ] || fail "kept nothing"
        [ "$(wc -c <"$folder/out/$file.part")" -eq "$2" ] || fail "did not keep $2 bytes"
    else
        [ ! -e "$folder/out/$file.part" ] || fail "left a part"
    fi
}

requests() { grep -c "$1" "$folder/requests" || true; }

way=good
get good
expect_network
[ "$(requests .)" -eq 1 ] || fail "asked more than once"
get missing
expect_network # is there: nothing is asked for
grep -q "already there and intact" "$folder/said" || fail "does not see what is there"
[ "$(requests .)" -eq 0 ] || fail "asked for what is there"
printf x >>"$folder/out/vgg19-torchvision.safetensors"
get good
expect_network # was damaged: made anew
rm -r "$folder/out"

for way in broken moved; do
    get $way
    expect_network
    rm -r "$folder/out"
done
way=broken
get $way
[ "$(requests 'bytes=')" -eq 2 ] || fail "did not go on where it broke off"
rm -r "$folder/out"

way=forgetful
get $way
expect_network
rm -r "$folder/out"

way="broken off in an earlier run"
mkdir "$folder/out"
head -c 5000 "$folder/network" >"$folder/out/$file.part"
get kept
expect_network
[ "$(requests 'kept bytes=5000-')" -eq 1 ] || fail "did not go on at byte 5000"
rm -r "$folder/out"

way="complete from an earlier run"
mkdir "$folder/out"
cp "$folder/network" "$folder/out/$file.part"
get missing
expect_network
rm -r "$folder/out"

way="another file's part"
mkdir "$folder/out"
head -c $((bytes + 10)) /dev/zero >"$folder/out/$file.part"
get good
expect_failure "does not begin with $digits" ""
get good
expect_network
rm -r "$folder/out"

way="PyTorch's copy"
mkdir -p "$folder/home/.cache/torch/hub/checkpoints"
cp "$folder/network" "$folder/home/.cache/torch/hub/checkpoints/$file"
get missing
expect_network
[ -f "$folder/home/.cache/torch/hub/checkpoints/$file" ] || fail "removed the copy"
rm -r "$folder/out" "$folder/home/.cache"

way=wrong
get $way
expect_failure "does not begin with $digits; it was removed" ""
way=missing
get $way
expect_failure "answers 404" ""
way=ill
get $way
expect_failure "answers 503" ""
way=round
get $way
expect_failure "without end" ""
way=unreachable
get $way http://127.0.0.1:1
expect_failure "cannot reach" ""
way=slow
get $way
expect_failure "too slow" "$(wc -c <"$folder/out/$file.part" | tr -d ' ')"
rm -r "$folder/out"
way=steady # as fast as it must be; the file is another
get $way
expect_failure "does not begin with $digits" ""

# A full disk: no file may grow beyond 40 kB, and who tries is told so instead of being killed. Then 160 kB: the download
# fits, and its conversion too; then a disk that fails between the two is made by a limit in the middle.
way="full disk"
(
    trap '' XFSZ
    ulimit -f 80
    get good
    expect_failure "is the disk full" 40960
)
get good
expect_network
rm -r "$folder/out"
way="full disk when converting"
cat >"$folder/limited" <<END
#!/bin/sh
trap '' XFSZ
ulimit -f 80
exec "$nst" "\$@"
END
chmod +x "$folder/limited"
(
    nst=$folder/limited
    get good
    expect_failure "the conversion failed" "$bytes"
    grep -q "is the disk full" "$folder/said" || fail "does not say why"
)
[ "$(ls "$folder/out")" = "$file.part" ] || fail "left something else: $(ls "$folder/out")"

echo "all ways of answering, as expected"
