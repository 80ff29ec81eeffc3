#!/bin/sh
# Make the secrets of docker/compose.yaml, once: docker/secrets/. Files that are there are kept.
# The folder is closed to other users; the files are not, since containers read them as users of their own.
set -eu
umask 022
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random() {
    od -A n -t x1 -N 24 /dev/urandom | tr -d ' \n'
}

keep() { # NAME VALUE
    if [ -s "$folder/$1" ]; then
        echo "kept $folder/$1"
    else
        printf '%s\n' "$2" >"$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
        echo "made $folder/$1"
    fi
}

keep postgres_password "$(random)"
keep database_url "postgresql://hyctas:$(cat "$folder/postgres_password")@postgres/hyctas"
keep api_key "$(random)"
keep api_keys "$(cat "$folder/api_key")"
