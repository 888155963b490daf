#!/usr/bin/env bash
# Checks, measures and trains on a machine with a GPU, within a time that is given. README.md says how to use it.
#
#   run.sh --minutes N [--config NAME] [--data FOLDER] [--device cuda:0|cpu] [--only check,bench,train]
#          [--first-minutes M] [--patience M] [--work FOLDER]
#
# It ends by itself within N minutes. Results lie in $OUT (./out without it) from the first minutes on and are brought up to date as
# it goes, so that a run that is killed has left what it had. A step that fails stops no other; figures.json says what failed, and why.
set -euo pipefail
# Each job in the background is a process group of its own, so that it can be ended with all that it started.
set -m

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trainer=$here/continuo-trainer

minutes='' config='' data=$here/corpus device=cuda:0 only=check,bench,train first_minutes=60 patience=2 work=$here/work
out=${OUT:-$PWD/out}

# The code of a program that was asked to stop, and did.
stopped=130

# What brings the results home takes eight files of 16 MiB, 64 MiB in all: four parts, and four small files beside them.
part_mib=16
most_mib=60

fail() {
    echo "run.sh: $*" >&2
    exit 2
}

while (($#)); do
    (($# >= 2)) || fail "$1 needs a value; see the head of this file"
    case $1 in
        --minutes) minutes=$2 ;;
        --config) config=$2 ;;
        --data) data=$2 ;;
        --device) device=$2 ;;
        --only) only=$2 ;;
        --first-minutes) first_minutes=$2 ;;
        --patience) patience=$2 ;;
        --work) work=$2 ;;
        *) fail "$1 is not an option; see the head of this file" ;;
    esac
    shift 2
done
seconds_of() { awk -v minutes="$1" 'BEGIN { if (minutes !~ /^[0-9]+(\.[0-9]+)?$/) exit 1; printf "%d", minutes * 60 }'; }
total=$(seconds_of "$minutes") || fail "--minutes takes a number of minutes"
first_seconds=$(seconds_of "$first_minutes") || fail "--first-minutes takes a number of minutes"
patience=$(seconds_of "$patience") || fail "--patience takes a number of minutes"
for phase in ${only//,/ }; do
    [[ $phase =~ ^(check|bench|train)$ ]] || fail "--only takes check, bench and train, with commas between them"
done
wanted() { [[ ,$only, == *,$1,* ]]; }
# The small one is for machines without a GPU.
config=${config:-$([[ $device == cpu ]] && echo wavenet-small || echo wavenet-piano-2016)}
config_file=$here/configs/$config.toml
[[ $device =~ ^(cpu|cuda:[0-9]+)$ ]] || fail "--device takes cpu or cuda:N"
[[ -f $config_file ]] || fail "$config_file: there is no such configuration"
if [[ ! -x $trainer && -f $trainer.gz ]]; then
    gzip --decompress --stdout "$trainer.gz" >"$trainer.new" && chmod +x "$trainer.new" && mv "$trainer.new" "$trainer" \
        || fail "$trainer.gz cannot be unpacked"
fi
[[ -x $trainer ]] || fail "$trainer: there is no such program"

deadline=$((EPOCHSECONDS + total))
# Kept at the end for the last export and for packing.
closing=$((total / 5 < 10 ? 10 : total / 5 > 180 ? 180 : total / 5))
# What PyTorch is told about threads would be counted as cores.
cores=$(env -u OMP_NUM_THREADS nproc)
# Two cores are left to what drives the GPU.
helpers=$((cores > 3 ? cores - 2 : 1))
[[ ! -e $work || -f $work/steps.tsv ]] || fail "$work is there already, and was not made by this script: it would be removed"
rm -rf "$work"
mkdir -p "$work"/{logs,figures,data,runs,models} "$out"
work=$(cd "$work" && pwd)
out=$(cd "$out" && pwd)
: >"$out/log.txt"
: >"$work/steps.tsv"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader >"$work/gpu.txt" 2>/dev/null || true

left() { echo $((deadline - EPOCHSECONDS)); }

say() {
    local seconds
    seconds=$(left)
    printf '[%d:%02d left] %s\n' $((seconds / 60)) $((seconds < 0 ? 0 : seconds % 60)) "$*" | tee -a "$out/log.txt"
}

# Writes figures.json from all that is known so far.
figures() { python3 "$here/figures.py" "$work" "$out/figures.json" || say "figures.json could not be written"; }

# Writes down how a step ended: NAME CODE SECONDS LOG.
ended() {
    printf '%s\t%s\t%s\t%s\n' "$@" >>"$work/steps.tsv"
    if (($2 == 0)); then
        say "$1: done in $3 s"
    elif (($2 == stopped)); then
        say "$1: stopped after $3 s"
    else
        say "$1: failed with code $2 after $3 s: $(tail -n 2 "$4" | tr '\n' ' ')"
    fi
    figures
}

# The step of this shell that runs now.
running=''

# start NAME SECONDS COMMAND...: starts a step that is ended after so long, with a log of its own.
start() {
    # A limit of 0 would be none.
    local name=$1 most=$(($2 > 1 ? $2 : 1))
    shift 2
    local command="${*:2}"
    say "$name: $(basename "$1") ${command:0:200} (at most $most s)"
    step_name=$name step_began=$EPOCHSECONDS step_log=$work/logs/$name.$EPOCHREALTIME.log
    # In the foreground, `timeout` passes on one signal and not two: the trainer takes a second one for "at once".
    timeout --foreground --kill-after=10 "$most" "$@" >"$step_log" 2>&1 </dev/null &
    running=$!
}

# Waits for the step that was started and gives back its code.
finish() {
    local code=0
    wait "$running" || code=$?
    # A step that was killed may have left processes in its group.
    if ((code >= 124)); then kill -KILL -- "-$running" 2>/dev/null || true; fi
    running=''
    ended "$step_name" "$code" $((EPOCHSECONDS - step_began)) "$step_log"
    return "$code"
}

# step NAME SECONDS COMMAND...: both. A step for which no time is left is not started, and counts as failed.
step() {
    if (($2 < 5)); then
        echo "no time was left for it" >"$work/logs/$1.unstarted.log"
        ended "$1" 124 0 "$work/logs/$1.unstarted.log"
        return 124
    fi
    start "$@"
    finish
}

# until_share SHARE: seconds until so many hundredths of the time are over.
until_share() { echo $((deadline - total + total * $1 / 100 - EPOCHSECONDS)); }

# --- the corpus, in the background ---------------------------------------------------------------------------------------------------

rate=$(sed -nE 's/^sample_rate_hz *= *([0-9_]+).*/\1/p' "$config_file" | tr -d _ | head -n 1)

# prepare NAME FOLDER: makes a dataset. It has its name only when it is complete.
prepare() { step "prepare-$1" "$(left)" "$trainer" prepare "$2" --out "$work/data/$1" --rate "$rate" --jobs "$helpers"; }

# Whether as much music is played as the first part takes.
first_part_played() { awk -F'\t' -v wanted="$first_seconds" '$3 >= wanted { found = 1 } END { exit !found }' "$work/played.tsv"; }

# Plays the MIDI and prepares two datasets: the first pieces as soon as they are there, then all. Of recordings it prepares one.
make_corpus() {
    local midi=()
    mapfile -d '' midi < <(find -L "$data" -type f \( -iname '*.mid' -o -iname '*.midi' \) -print0)
    if ((${#midi[@]} == 0)); then
        prepare whole "$data" || true
        return
    fi
    : >"$work/played.tsv"
    # Whoever plays on a piano with this licence names its author: it goes into the packages.
    (cd "$here" && python3 -c 'import samples; print(samples.load("samples.npz").credit, end="")') >"$work/CREDITS.txt" || true
    # Mixed, since in the order of names the first part would hold few composers.
    start play "$(left)" python3 "$here/render_piano.py" "$work/wav" "${midi[@]}" \
        --mixed --jobs "$helpers" --rate "$rate" --progress "$work/played.tsv"
    local playing=$running began=$step_began log=$step_log
    while kill -0 "$playing" 2>/dev/null && ! first_part_played; do sleep 1; done
    if first_part_played; then
        mkdir -p "$work/wav-first"
        awk -F'\t' -v wanted="$first_seconds" '$4 != "-" { print $4 } $3 >= wanted { exit }' "$work/played.tsv" |
            while IFS= read -r wav; do ln "$wav" "$work/wav-first/"; done || true
        prepare first "$work/wav-first" || true
    fi
    running=$playing step_name=play step_began=$began step_log=$log
    finish || true
    prepare whole "$work/wav" || true
}

ready() { [[ -d $work/data/$1 ]]; }

# --- results -------------------------------------------------------------------------------------------------------------------------

# The library that an export is checked with: beside the trainer, where it looks by itself, or in Python's package.
find_runtime() {
    local found
    found=$(python3 - <<'PYTHON' 2>/dev/null || true
import glob, importlib.util
spec = importlib.util.find_spec("onnxruntime")
for folder in spec.submodule_search_locations if spec else []:
    print(*sorted(glob.glob(folder + "/capi/libonnxruntime.so*")), sep="\n")
PYTHON
    )
    if [[ -z ${CONTINUO_ONNXRUNTIME:-} && ! -d $here/runtime && -n $found ]]; then
        export CONTINUO_ONNXRUNTIME=${found%%$'\n'*}
    fi
}

newest_checkpoint() {
    find "$work/runs" -path '*/checkpoints/*.safetensors' -printf '%T@\t%p\n' 2>/dev/null | sort -n | tail -n 1 | cut -f 2-
}

# export_run RUN NAME SECONDS [COMMAND...]: writes models/NAME.continuo, through the command.
export_run() {
    local run=$1 name=$2 most=$3 credit=()
    shift 3
    [[ -f $work/CREDITS.txt ]] && credit=(--licence-file "$work/CREDITS.txt")
    # Settings are given, since looking for them renders minutes of audio. `continuo-trainer defaults` finds them at home.
    step "export-$name" "$most" "$@" "$trainer" export "$work/runs/$run" --out "$work/models/$name.new.continuo" \
        --data "$work/data/${run%%-*}" --name "$config" --temperature 0.9 --top-k 0 "${credit[@]}" || return
    mv "$work/models/$name.new.continuo" "$work/models/$name.continuo"
}

# Puts the newest package and checkpoint into $OUT, in parts. Where both are too large, the package alone: training can go on from it.
pack() {
    local checkpoint run result=$work/result parts=$work/parts with_checkpoint=true
    checkpoint=$(newest_checkpoint)
    [[ -n $checkpoint ]] || return 0
    run=$(dirname "$(dirname "$checkpoint")")
    rm -rf "$result" "$parts"
    mkdir -p "$result/run/checkpoints" "$parts"
    cp "$run"/{config.toml,run.json,log.jsonl} "$result/run/" || return
    # The trainer removes old checkpoints: a second link keeps this one.
    ln "$checkpoint" "$result/run/checkpoints/" || return
    if [[ -f $work/models/last.continuo ]]; then ln "$work/models/last.continuo" "$result/model.continuo"; fi
    if (($(du -sm "$result" | cut -f 1) >= most_mib)); then
        with_checkpoint=false
        rm -r "$result/run/checkpoints"
    fi
    tar -C "$result" -cf "$work/result.tar" . || return
    split -b "${part_mib}M" -d -a 2 "$work/result.tar" "$parts/result.tar." || return
    cat >"$parts/join.sh" <<'JOIN'
#!/bin/sh
# Puts the parts together again: model.continuo, the package, and run/, with which `continuo-trainer resume` goes on.
set -eu
cd "$(dirname "$0")"
sha256sum -c SHA256SUMS
cat result.tar.?? | tar -xf -
JOIN
    chmod +x "$parts/join.sh"
    (cd "$parts" && sha256sum result.tar.?? >SHA256SUMS) || return
    # Renames, where $OUT is on the same disk: there is hardly a moment in which the parts are of two kinds.
    rm -f "$out"/result.tar.??
    mv "$parts"/* "$out/"
    printf '{"run": "%s", "checkpoint": "%s", "checkpoint_included": %s, "package_included": %s, "bytes": %d}\n' \
        "$(basename "$run")" "$(basename "$checkpoint")" "$with_checkpoint" \
        "$([[ -f $result/model.continuo ]] && echo true || echo false)" "$(stat -c %s "$work/result.tar")" >"$work/figures/kept.json"
    rm -f "$work/result.tar"
    say "packed $(basename "$checkpoint") of run $(basename "$run") into $out (checkpoint itself included: $with_checkpoint)"
    figures
}

# Exports and packs again and again while training goes on, on cores that it does not need.
keep_results() {
    local kept checkpoint began
    kept=$(newest_checkpoint)
    while true; do
        checkpoint=$(newest_checkpoint)
        began=$EPOCHSECONDS
        if [[ -n $checkpoint && $checkpoint != "$kept" ]]; then
            export_run "$(basename "$(dirname "$(dirname "$checkpoint")")")" last 600 nice -n 19 || true
            pack || true
            kept=$checkpoint
        fi
        # A quarter of the time at the most goes into this.
        sleep $((20 + 3 * (EPOCHSECONDS - began)))
    done
}

corpus_job='' keep_job=''

# Ends a job in the background with all that it started.
end_job() {
    if [[ -n $1 ]] && kill -TERM -- "-$1" 2>/dev/null; then wait "$1" 2>/dev/null || true; fi
}

# Whatever ends this script, what there is goes into $OUT.
leave() {
    local code=$?
    trap - EXIT
    trap '' INT TERM
    # The trainer first: it has a checkpoint to write.
    if [[ -n $running ]]; then kill -TERM "$running" 2>/dev/null || true; fi
    end_job "$keep_job"
    end_job "$corpus_job"
    if [[ -n $running ]]; then
        finish || true
        pack || true
    fi
    figures
    say "results are in $out"
    exit "$code"
}
trap leave EXIT
trap 'exit 143' INT TERM

# --- check and bench -----------------------------------------------------------------------------------------------------------------

# Up to which hundredth of the time a phase may last, so that the ones after it have theirs.
if wanted train; then check_share=20 bench_share=45; else check_share=40 bench_share=95; fi

check() {
    say "check: does $device compute what the CPU computes, for $config?"
    step check "$(until_share $check_share)" "$trainer" check "$config_file" --device "$device" --json "$work/figures/check.json" || true
}

# The configuration with products of bfloat16 in place of its own.
in_bf16() {
    sed -E '/^precision *=/d; s/^\[training\] *$/[training]\nprecision = "bf16"/' "$config_file" >"$work/bf16.toml"
    echo "$work/bf16.toml"
}

# peer NAME SECONDS OPTIONS...: measures PyTorch. It prints its figures, and nothing is left of them if it is ended before.
peer() {
    local name=pytorch-$1 most=$2
    shift 2
    step "$name" "$most" python3 "$here/peer.py" "$config_file" --device "$device" --seconds 8 "$@" || return 0
    tail -n 1 "$step_log" >"$work/figures/$name.json"
    figures
}

bench() {
    say "bench: how fast is a training step of $config, and how fast is PyTorch's?"
    [[ -n $corpus_job ]] && kill -0 "$corpus_job" 2>/dev/null && say "bench: the corpus is being made on $helpers of $cores cores meanwhile"
    step bench "$(until_share $bench_share)" "$trainer" bench "$config_file" --device "$device" --json "$work/figures/bench.json" || true
    if [[ $device == cpu ]]; then
        peer f32 "$(until_share $bench_share)" --dtype f32 --steps 3 --warmup 1
        return
    fi
    # What tells most comes first: the time may not last for all.
    peer f32 "$(until_share $bench_share)" --dtype f32
    step bench-bf16 "$(until_share $bench_share)" "$trainer" bench "$(in_bf16)" --device "$device" --json "$work/figures/bench-bf16.json" || true
    step check-bf16 "$(until_share $bench_share)" "$trainer" check "$(in_bf16)" --device "$device" --json "$work/figures/check-bf16.json" || true
    peer bf16 "$(until_share $bench_share)" --dtype bf16
    peer bf16-compiled "$(until_share $bench_share)" --dtype bf16 --compile
    peer tf32 "$(until_share $bench_share)" --dtype tf32
    peer f32-compiled "$(until_share $bench_share)" --dtype f32 --compile
    peer bf16-compiled-joined "$(until_share $bench_share)" --dtype bf16 --compile --join-skips
}

# --- training ------------------------------------------------------------------------------------------------------------------------

# Waits for the whole corpus, but no longer than the patience when a first part is there: a change of dataset costs an export, a start and
# the optimiser's moments, about as much as two minutes of training. Sets `dataset`.
wait_for_data() {
    local patient_until=$((EPOCHSECONDS + patience)) told=''
    while (($(left) > closing)); do
        if ready whole; then
            dataset=whole
            return
        fi
        if ready first && ((EPOCHSECONDS >= patient_until)); then
            dataset=first
            return
        fi
        if ! kill -0 "$corpus_job" 2>/dev/null; then
            ready whole && continue
            ready first && dataset=first && return
            say "train: there is no dataset"
            return 1
        fi
        [[ -n $told ]] || say "train: waiting for the corpus"
        told=yes
        sleep 1
    done
    say "train: no time is left for it"
    return 1
}

train_seconds() { echo $(($(left) - closing)); }
train_minutes() { awk -v seconds="$(train_seconds)" 'BEGIN { printf "%.2f", seconds / 60 }'; }

checkpoints_of() { find "$work/runs/$1" -name '*.safetensors' 2>/dev/null | sort | tail -n 1; }

# train RUN COMMAND...: trains until the time is up, or until the whole corpus is there while this is the first part. The name of a run
# begins with that of its dataset. Fails where no new checkpoint was made.
train() {
    local before
    trained_run=$1
    shift
    (($(train_seconds) >= 5)) || return
    before=$(checkpoints_of "$trained_run")
    start "$2-$trained_run" $(($(train_seconds) + closing / 2)) "$@" --device "$device" --minutes "$(train_minutes)"
    while kill -0 "$running" 2>/dev/null; do
        if [[ -z $changing ]] && may_change; then
            say "train: the whole corpus is there"
            changing=yes
            kill -TERM "$running" 2>/dev/null || true
        fi
        sleep 1
    done
    finish || true
    [[ $(checkpoints_of "$trained_run") != "$before" ]]
}

# Whether to leave the first part for the whole corpus: once, and where enough time is left to be worth it.
changing=''
may_change() { [[ $dataset == first ]] && ready whole && (($(train_seconds) > 2 * patience)); }

# fresh_run RUN [OPTIONS...]: begins a run on the dataset.
fresh_run() {
    train "$1" "$trainer" train "$work/$config.toml" --data "$work/data/$dataset" --out "$work/runs/$1" "${@:2}"
}

# Trains: on from the kit's run if that was trained on this very dataset, else from its package, else from random weights.
train_on_dataset() {
    local packages=()
    mapfile -d '' packages < <(find -L "$here/start" -maxdepth 1 -name '*.continuo' -print0 2>/dev/null)
    if [[ $dataset == whole && -f $here/start/run/run.json ]]; then
        cp -r "$here/start/run" "$work/runs/whole"
        if train whole "$trainer" resume "$work/runs/whole" --data "$work/data/whole"; then return; fi
        rm -rf "$work/runs/whole"
    fi
    if ((${#packages[@]})) && fresh_run "$dataset-init" --init "${packages[0]}"; then return; fi
    rm -rf "$work/runs/$dataset-init"
    fresh_run "$dataset"
}

# A run is bound to its dataset, so going on with the whole corpus is a second run, which begins with the first one's averaged weights. The
# held-out pieces stay held out, since a piece's hash alone decides that. Where nothing can be exported, the first run goes on.
change_to_whole() {
    say "train: going on with the whole corpus"
    end_job "$keep_job"
    if export_run "$trained_run" last $(($(left) - closing)); then
        cp "$work/models/last.continuo" "$work/models/first.continuo"
        dataset=whole
        keep_results &
        keep_job=$!
        fresh_run whole-init --init "$work/models/first.continuo"
    else
        keep_results &
        keep_job=$!
        train "$trained_run" "$trainer" resume "$work/runs/$trained_run"
    fi
}

train_all() {
    say "train: $config on $device"
    # Checkpoints come often: whatever ends this run, little is lost.
    sed -e '/^checkpoint_minutes/d' -e 's/^\[training\]$/&\ncheckpoint_minutes = 1.0/' "$config_file" >"$work/$config.toml"
    wait_for_data || return 0
    keep_results &
    keep_job=$!
    train_on_dataset || say "train: no checkpoint was made"
    if [[ -n $changing ]]; then change_to_whole || true; fi
    end_job "$keep_job"
    keep_job=''
    if [[ -n $(newest_checkpoint) ]]; then
        export_run "$trained_run" last $(($(left) - 20)) || true
        pack || say "the results could not be packed"
    fi
}

# --- all of it -----------------------------------------------------------------------------------------------------------------------

say "phases $only, configuration $config on $device, $cores cores; results go into $out"
figures
dataset='' trained_run=''
if wanted train; then
    find_runtime
    make_corpus &
    corpus_job=$!
fi
if wanted check; then check; fi
if wanted bench; then bench; fi
if wanted train; then train_all; fi
