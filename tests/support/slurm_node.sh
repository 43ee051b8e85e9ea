#!/usr/bin/env bash
# slurm_node.sh start|stop|crash|boot FOLDER: a Slurm on this machine for the tests, without systemd.
#
# Needs root and Debian's packages slurm-wlm and munge. The node simulates 16 cores, 64 GB and 2
# GPUs. A job that uses more memory than requested is killed. All state is in FOLDER, and
# /etc/slurm/*.conf become links to it, because srun inside a job does not get SLURM_CONF. The
# script refuses a machine that already has a slurm.conf.
set -euo pipefail
FOLDER=$2
HOST=$(hostname -s)
export SLURM_CONF=$FOLDER/slurm.conf

configure() {
    mkdir -p "$FOLDER"/{state,spool,log,run,munge,dev}
    chmod 700 "$FOLDER/munge"
    chmod 755 "$FOLDER" "$FOLDER/run"
    head -c 1024 /dev/urandom >"$FOLDER/munge/munge.key"
    chmod 400 "$FOLDER/munge/munge.key"
    cat >"$FOLDER/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$FOLDER/run/munge.socket
StateSaveLocation=$FOLDER/state
SlurmdSpoolDir=$FOLDER/spool
SlurmctldPidFile=$FOLDER/run/slurmctld.pid
SlurmdPidFile=$FOLDER/run/slurmd.pid
SlurmctldLogFile=$FOLDER/log/slurmctld.log
SlurmdLogFile=$FOLDER/log/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=3600
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$HOST Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=$HOST MaxTime=1-00:00:00 State=UP
CONF
    # Slurm counts device files as GPUs; these are null devices with the names of real GPUs.
    for i in 0 1; do
        mknod "$FOLDER/dev/nvidia$i" c 1 3
        echo "NodeName=$HOST Name=gpu File=$FOLDER/dev/nvidia$i"
    done >"$FOLDER/gres.conf"
    echo "CgroupAutomount=no" >"$FOLDER/cgroup.conf"
}

link() {
    mkdir -p /etc/slurm
    for file in slurm.conf gres.conf cgroup.conf; do
        if [ -e "/etc/slurm/$file" ] && [ ! -L "/etc/slurm/$file" ]; then
            echo "/etc/slurm/$file already exists on this machine" >&2
            exit 1
        fi
        ln -sfn "$FOLDER/$file" "/etc/slurm/$file"
    done
}

start() {
    link
    configure
    munged --key-file="$FOLDER/munge/munge.key" --socket="$FOLDER/run/munge.socket" --num-threads=2 \
        --pid-file="$FOLDER/run/munged.pid" --log-file="$FOLDER/log/munged.log" \
        --seed-file="$FOLDER/munge/munged.seed" --force
    slurmctld -f "$SLURM_CONF" -c
    boot
}

boot() {
    slurmd -f "$SLURM_CONF" -c
    scontrol update "NodeName=$HOST" State=RESUME 2>/dev/null || true # it is down after a crash
    for _ in $(seq 100); do
        if sinfo -h -o %T 2>/dev/null | grep -Eqx 'idle|mixed|allocated'; then
            # Slurm would start the jobs of a crashed node after two minutes.
            for job in $(squeue -h -t PENDING -o %i); do scontrol update "JobId=$job" StartTime=now; done
            exit 0
        fi
        sleep 0.2
    done
    tail -n 5 "$FOLDER"/log/*.log >&2
    exit 1
}

crash() {
    kill -9 "$(cat "$FOLDER/run/slurmd.pid")"
    # slurmstepd first, or it would report the end of its processes.
    pkill -9 -f '^slurmstepd: \[' || true
    for process in /proc/[0-9]*; do
        if grep -qz '^SLURM_JOB_ID=' "$process/environ" 2>/dev/null; then
            kill -9 "${process#/proc/}" 2>/dev/null || true
        fi
    done
    # slurmctld would notice it after SlurmdTimeout.
    scontrol update "NodeName=$HOST" State=DOWN Reason=crash
}

stop() {
    scancel -u root --full --signal=KILL 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do
        [ -s "$FOLDER/run/$daemon.pid" ] || continue
        pid=$(cat "$FOLDER/run/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.2
        done
        kill -9 "$pid"
    done
    for file in slurm.conf gres.conf cgroup.conf; do
        [ "$(readlink "/etc/slurm/$file")" != "$FOLDER/$file" ] || rm "/etc/slurm/$file"
    done
}

"$1"
