#!/usr/bin/env bash
# slurm_node.sh start|stop FOLDER: a Slurm of this one machine, for the tests, without systemd.
#
# Needs root and Debian's packages slurm-wlm and munge. The node has 16 cores, 64 GB and 2 GPUs,
# all pretended; memory is enforced as on a cluster that kills what takes more than it asked for.
# All state is in FOLDER. /etc/slurm/*.conf become links to it, because inside a job srun does not
# get SLURM_CONF; a machine that has a slurm.conf of its own is refused.
set -euo pipefail
LAB=$2
HOST=$(hostname -s)
export SLURM_CONF=$LAB/slurm.conf

configure() {
    mkdir -p "$LAB"/{state,spool,log,run,munge,dev}
    chmod 700 "$LAB/munge"
    chmod 755 "$LAB" "$LAB/run"
    head -c 1024 /dev/urandom >"$LAB/munge/munge.key"
    chmod 400 "$LAB/munge/munge.key"
    cat >"$LAB/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$LAB/run/munge.socket
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.log
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
    # Slurm counts files as GPUs; these are null devices with the names of real ones.
    for i in 0 1; do
        mknod "$LAB/dev/nvidia$i" c 1 3
        echo "NodeName=$HOST Name=gpu File=$LAB/dev/nvidia$i"
    done >"$LAB/gres.conf"
    echo "CgroupAutomount=no" >"$LAB/cgroup.conf"
}

link() {
    mkdir -p /etc/slurm
    for file in slurm.conf gres.conf cgroup.conf; do
        if [ -e "/etc/slurm/$file" ] && [ ! -L "/etc/slurm/$file" ]; then
            echo "/etc/slurm/$file belongs to this machine" >&2
            exit 1
        fi
        ln -sfn "$LAB/$file" "/etc/slurm/$file"
    done
}

start() {
    link
    configure
    munged --key-file="$LAB/munge/munge.key" --socket="$LAB/run/munge.socket" --num-threads=2 \
        --pid-file="$LAB/run/munged.pid" --log-file="$LAB/log/munged.log" \
        --seed-file="$LAB/munge/munged.seed" --force
    slurmctld -f "$SLURM_CONF" -c
    slurmd -f "$SLURM_CONF" -c
    for _ in $(seq 100); do
        if sinfo -h -o %T 2>/dev/null | grep -qx idle; then exit 0; fi
        sleep 0.2
    done
    tail -n 5 "$LAB"/log/*.log >&2
    exit 1
}

stop() {
    scancel -u root --full --signal=KILL 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do
        [ -s "$LAB/run/$daemon.pid" ] || continue
        pid=$(cat "$LAB/run/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.2
        done
        kill -9 "$pid"
    done
    for file in slurm.conf gres.conf cgroup.conf; do
        [ "$(readlink "/etc/slurm/$file")" != "$LAB/$file" ] || rm "/etc/slurm/$file"
    done
}

"$1"
