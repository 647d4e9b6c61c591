#!/bin/sh
# Verifies this record with coreutils, sed, find and openssl (1.1.1 or newer) alone: sh verify.sh
# Бұл жазбаны тексереді. / Проверяет эту запись. Exit status: 0 = everything holds.
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")" || exit 2
failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

say() { # result, what
    printf '%-6s  %s\n' "$1" "$2"
    if [ "$1" != OK ]; then failed=1; fi
}

note() { # what could not be checked
    printf '%-6s  %s\n' -- "$1"
}

sha() { sha256sum | cut -d ' ' -f 1; }

member() { # name of a text member of manifest.json, or of the file that is named second
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "${2:-manifest.json}"
}

number() { # a number member
    sed -n "s/.*\"$1\":\([0-9][0-9]*\).*/\1/p" "${2:-manifest.json}"
}

raw() { # hexadecimal as bytes
    rest=$1
    while [ -n "$rest" ]; do
        digits=${rest%"${rest#??}"}
        rest=${rest#??}
        # shellcheck disable=SC2059
        printf "\\$(printf '%03o' "$((0x$digits))")"
    done
}

node() { { printf '\001' && raw "$1" && raw "$2"; } | sha; } # of a Merkle tree (RFC 6962)

earlier() { # whether the first of two moments is not the later one: ISO 8601 in UTC is as text as it is in time
    [ "$(printf '%s\n' "$1" "$2" | sort | head -n 1)" = "$1" ]
}

of_kind() { # the numbers of the lines of a kind that are about the source at hand
    sed -n "/\"kind\":\"$1\"/{${own}=;}" chain.jsonl
}

moment() { # a member of a line
    printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

for tool in openssl sha256sum sed cut mktemp sort find wc tr head tail; do
    command -v "$tool" >/dev/null 2>&1 || { say FAILED "the program $tool is missing"; exit 2; }
done
for file in chain.jsonl manifest.json manifest.sig agent.pub SHA256SUMS; do
    [ -f "$file" ] || { say FAILED "$file is missing"; exit 1; }
done

if openssl pkeyutl -verify -pubin -inkey agent.pub -rawin -in manifest.json -sigfile manifest.sig >/dev/null 2>&1; then
    say OK "the manifest's signature (Ed25519)"
else
    say FAILED "the manifest's signature (Ed25519)"
fi

key=$(openssl pkey -pubin -in agent.pub -outform DER 2>/dev/null | sha)
if [ "$key" = "$(member key_sha256)" ]; then
    say OK "the key is the one the manifest names: $key"
else
    say FAILED "the key is not the one the manifest names"
fi

if [ -f span.json ]; then
    note "a part of the record: $(member begin span.json) to $(member end span.json); of the rest nothing is said"
elif [ "$(sha <chain.jsonl)" = "$(member chain_sha256)" ]; then
    say OK "the chain is the one the manifest names"
else
    say FAILED "the chain is not the one the manifest names"
fi

prev=0000000000000000000000000000000000000000000000000000000000000000
if [ -f span.json ]; then prev=$(sed -n '1s/.*"prev":"\([0-9a-f]*\)".*/\1/p' chain.jsonl); fi
lines=0
broken=
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *"\"prev\":\"$prev\""*) ;;
    *) broken=${broken:-$lines} ;;
    esac
    prev=$(printf '%s' "$line" | sha)
    lines=$((lines + 1))
done <chain.jsonl
if [ -z "$broken" ] && { [ -f span.json ] || [ "$prev" = "$(member chain_head)" ]; }; then
    say OK "every line of the chain follows the one before ($lines lines)"
else
    say FAILED "the chain is broken at line ${broken:-$lines}"
fi

if [ -f span.json ]; then
    # One path to the Merkle root proves the last line (RFC 9162, 2.1.3.2), and that one those before it.
    size=$(number chain_length)
    index=$(($(number first span.json) + lines - 1))
    final=$((size - 1))
    hash=$({ printf '\000' && printf '%s' "$(tail -n 1 chain.jsonl)"; } | sha)
    path=$(sed -n 's/.*"path":\[\([^]]*\)\].*/\1/p' span.json | tr ',"' '  ')
    holds=yes
    [ -z "$(printf '%s' "$path" | tr -d ' 0-9a-f')" ] || { holds=; path=; }
    for sister in $path; do
        if [ "$final" -eq 0 ] || [ "${#sister}" -ne 64 ]; then holds=; break; fi
        if [ $((index % 2)) -eq 1 ] || [ "$index" -eq "$final" ]; then
            hash=$(node "$sister" "$hash")
            while [ $((index % 2)) -eq 0 ] && [ "$index" -gt 0 ]; do
                index=$((index / 2))
                final=$((final / 2))
            done
        else
            hash=$(node "$hash" "$sister")
        fi
        index=$((index / 2))
        final=$((final / 2))
    done
    if [ -n "$holds" ] && [ "$final" -eq 0 ] && [ "$hash" = "$(member merkle_root)" ] &&
        [ "$(member recording span.json)" = "$(member recording)" ]; then
        say OK "the lines are some of those that the manifest signs (Merkle root $hash)"
    else
        say FAILED "the lines are not of the manifest"
    fi
    begin=$(member begin span.json)
    end=$(member end span.json)
    for moment in "$begin" "$end"; do
        case $moment in
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z) ;;
        *) say FAILED "span.json names no moment" ;;
        esac
    done
    if [ "$begin" = "$end" ] || ! earlier "$begin" "$end"; then say FAILED "span.json names no span"; fi
    sed -n '/"kind":"segment"/s/.*"source":"\([^"]*\)".*/\1/p' chain.jsonl | sort -u >"$work/sources"
    while IFS= read -r source; do
        case $source in *[!A-Za-z0-9_-]* | '') say FAILED "a source has a name that cannot be"; continue ;; esac
        own="/\"source\":\"$source\"/"
        begun=
        ended=
        { of_kind segment && of_kind run && of_kind run_end; } | sort -n | head -n 1 >"$work/first"
        { of_kind segment && of_kind run && of_kind run_end && of_kind gap; } | sort -n | tail -n 1 >"$work/last"
        first=$(sed -n "$(cat "$work/first")p" chain.jsonl)
        case $first in # from before the span, or the beginning of its first run
        *'"kind":"segment"'*) if earlier "$(moment utc "$first")" "$begin"; then begun=yes; fi ;;
        *'"kind":"run"'*'"run":1,'*) begun=yes ;;
        *) if earlier "$(moment t "$first")" "$begin"; then begun=yes; fi ;;
        esac
        final=$(tail -n 1 chain.jsonl)
        last=$(sed -n "$(cat "$work/last")p" chain.jsonl)
        case $last in # from behind the span, or it had stopped before
        *'"kind":"segment"'*) if earlier "$end" "$(moment utc "$last")"; then ended=yes; fi ;;
        *) if earlier "$end" "$(moment t "$final")"; then ended=yes; fi ;;
        esac
        case $final in *"\"seq\":$((size - 1)),"*) ended=yes ;; esac
        if [ -n "$begun" ] && [ -n "$ended" ]; then
            say OK "$source: the lines show all that it recorded in the span"
        else
            say FAILED "$source: the lines do not show all that it recorded in the span"
        fi
    done <"$work/sources"
    [ -s "$work/sources" ] || say FAILED "no segment is named"
fi

sed -n '/"kind":"segment"/s/.*"file":"\([^"]*\)".*"sha256":"\([0-9a-f]*\)".*/\2  \1/p' chain.jsonl | sort >"$work/expected"
if [ "$(sort SHA256SUMS | sha)" = "$(sha <"$work/expected")" ]; then
    say OK "SHA256SUMS lists the segments of the chain"
else
    say FAILED "SHA256SUMS does not list the segments of the chain"
fi

count=$(wc -l <"$work/expected" | tr -d ' ')
if [ "$count" -eq 0 ]; then
    say OK "no segments"
elif sha256sum --check --strict --quiet "$work/expected"; then
    say OK "$count segments have the bytes that were recorded"
else
    say FAILED "segments are missing or altered"
fi

cut -c 67- "$work/expected" | sort >"$work/named"
find . -type f -path './*/*' | sed 's|^\./||' | sort >"$work/found"
if [ "$(sha <"$work/named")" = "$(sha <"$work/found")" ]; then
    say OK "there is no other media"
else
    say FAILED "there are files that the chain does not name, or some are missing"
fi

if [ ! -f receipt.json ]; then
    note "there is no receipt: nothing here says that the archive had the record"
elif [ ! -f archive.pub ] || [ ! -f receipt.sig ]; then
    say FAILED "a receipt without its signature or key"
else
    if openssl pkeyutl -verify -pubin -inkey archive.pub -rawin -in receipt.json -sigfile receipt.sig >/dev/null 2>&1; then
        say OK "the receipt's signature (Ed25519)"
    else
        say FAILED "the receipt's signature (Ed25519)"
    fi
    if [ "$(member manifest_sha256 receipt.json)" = "$(sha <manifest.json)" ] &&
        [ "$(member chain_head receipt.json)" = "$(member chain_head)" ] &&
        [ "$(member recording receipt.json)" = "$(member recording)" ]; then
        say OK "the receipt is for this record: the archive had all of it at $(member received receipt.json)"
    else
        say FAILED "the receipt is for another record"
    fi
    key=$(openssl pkey -pubin -in archive.pub -outform DER 2>/dev/null | sha)
    if [ "$key" != "$(member key_sha256 receipt.json)" ]; then
        say FAILED "the archive's key is not the one that the receipt names"
    elif [ -n "${ARCHIVE_KEY:-}" ] && [ "$key" != "$ARCHIVE_KEY" ]; then
        say FAILED "the archive's key is not the one that you gave: $key"
    else
        say OK "the archive's key: $key"
    fi
fi

if [ ! -f agent-key.json ]; then
    note "nothing here says whose key agent.pub is"
elif [ ! -f archive.pub ] || [ ! -f agent-key.sig ] || [ ! -f receipt.json ]; then
    say FAILED "a statement about the key without its signature, the archive's key or the receipt"
elif ! openssl pkeyutl -verify -pubin -inkey archive.pub -rawin -in agent-key.json -sigfile agent-key.sig >/dev/null 2>&1; then
    say FAILED "the archive's statement about the key (Ed25519)"
elif [ "$(member key_sha256 agent-key.json)" != "$(member key_sha256)" ]; then
    say FAILED "the archive's statement is about another key"
else
    whose="the key of $(member name agent-key.json) in $(member courtroom agent-key.json), says the archive"
    void=$(member void agent-key.json)
    received=$(member received receipt.json)
    first=$(printf '%s\n' "$void" "$received" | sort | sed -n 1p) # ISO 8601 in UTC: as text is as in time
    if [ -z "$void" ]; then
        say OK "$whose"
    elif [ "$first" = "$received" ] && [ "$void" != "$received" ]; then
        say OK "$whose; withdrawn from $void, when the archive had this record already"
    else
        say FAILED "$whose, but it counts for nothing from $void on ($(member reason agent-key.json))"
    fi
fi

if [ ! -f receipt.tsr ]; then
    note "there is no time stamp: only the archive says when it had the record"
elif [ ! -f receipt.json ] || [ ! -f tsa-ca.pem ]; then
    say FAILED "a time stamp without the receipt or the authority's certificate"
else
    stamped=$(openssl ts -reply -in receipt.tsr -text 2>/dev/null | sed -n 's/^Time stamp: //p')
    # Certificates end some day; what counts is that they were good then. (Not every date can read a date.)
    if moment=$(date -u -d "$stamped" +%s 2>/dev/null); then set -- -attime "$moment"; else set --; fi
    if openssl ts -verify -data receipt.json -in receipt.tsr -CAfile tsa-ca.pem "$@" >/dev/null 2>&1; then
        say OK "the time stamp over the receipt (RFC 3161): $stamped"
    else
        say FAILED "the time stamp over the receipt (RFC 3161)"
    fi
fi

if [ "$failed" -eq 0 ]; then
    echo "THE RECORD IS WHOLE AND UNCHANGED / ЖАЗБА ТОЛЫҚ ӘРІ ӨЗГЕРТІЛМЕГЕН / ЗАПИСЬ ЦЕЛА И НЕ ИЗМЕНЕНА"
else
    echo "THE RECORD DOES NOT HOLD / ЖАЗБА РАСТАЛМАДЫ / ЗАПИСЬ НЕ ПОДТВЕРЖДЕНА"
fi
exit "$failed"
