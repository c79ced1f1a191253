"""Machines, each with the facts and the core budget that its tree must lead to.

`cpus` are the CPUs of the core budget, as a list of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.machines.trees import Described, Group

GIB = 2**20  # in KiB, as /proc/meminfo counts
NO_LIMIT = "9223372036854771712"  # what version 1 reports for "no limit"


@dataclass(frozen=True)
class Recorded:
    """A machine, and what is expected of it."""

    machine: Described
    cpus: str
    facts: dict[str, Any]


def intel(model: int, stepping: int, name: str, flags: str) -> dict[str, str]:
    """The lines of `/proc/cpuinfo` of an Intel CPU."""
    return _x86("GenuineIntel", 6, model, stepping, name, flags)


def amd(family: int, model: int, stepping: int, name: str, flags: str) -> dict[str, str]:
    """The lines of `/proc/cpuinfo` of an AMD CPU."""
    return _x86("AuthenticAMD", family, model, stepping, name, flags)


def _x86(vendor: str, family: int, model: int, stepping: int, name: str, flags: str) -> dict[str, str]:
    return {
        "vendor_id": vendor,
        "cpu family": str(family),
        "model": str(model),
        "model name": name,
        "stepping": str(stepping),
        "microcode": "0x2b000603",
        "flags": f"fpu vme {flags}",
    }


def arm(part: str, variant: str, revision: int, features: str) -> dict[str, str]:
    """The lines of `/proc/cpuinfo` of a core designed by Arm."""
    return {
        "BogoMIPS": "50.00",
        "Features": f"fp {features}",
        "CPU implementer": "0x41",
        "CPU architecture": "8",
        "CPU variant": variant,
        "CPU part": part,
        "CPU revision": str(revision),
    }


AVX2 = "sse4_1 sse4_2 avx f16c fma avx2"
AVX512 = f"{AVX2} avx512f avx512dq avx512bw avx512vl"
VNNI = f"{AVX512} avx512_vnni"
AMX = f"{VNNI} avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16 avx_vnni"
NEON = "asimd asimdhp asimddp"
SAPPHIRE = intel(143, 8, "Intel(R) Xeon(R) Gold 6442Y", AMX)
ICE_LAKE = intel(106, 6, "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", VNNI)
SKYLAKE = intel(85, 4, "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", AVX512)
GENOA = amd(25, 17, 1, "AMD EPYC 9454 48-Core Processor", f"{VNNI} avx512_bf16")
MILAN = amd(25, 1, 1, "AMD EPYC 7543 32-Core Processor", AVX2)
ROME = amd(23, 49, 0, "AMD EPYC 7452 32-Core Processor", AVX2)
QEMU = {"sys/class/dmi/id/sys_vendor": "QEMU", "sys/class/dmi/id/product_name": "Standard PC"}
EC2 = {"sys/class/dmi/id/sys_vendor": "Amazon EC2"}
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 {root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)
V1_CPU, V1_MEMORY = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory"
V2 = "sys/fs/cgroup"

MACHINES: dict[str, Recorded] = {
    "laptop with 6 performance and 8 efficiency cores": Recorded(
        Described(
            (Group(6, 2, "core", 1280, l3=24576), Group(8, 1, "atom", 2048, 4, 24576)),
            intel(154, 3, "12th Gen Intel(R) Core(TM) i7-12700H", f"{AVX2} avx_vnni"),
            siblings_adjacent=True,
            files={
                "sys/devices/system/cpu/intel_pstate/no_turbo": "0",
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
            },
        ),
        "0-19",
        {
            "cores": 20,
            "sockets": 1,
            "numa_nodes": 1,
            "boost": True,
            "governor": "powersave",
            "hypervisor": None,
            "cpu_id": "GenuineIntel family 6 model 154 stepping 3",
            "core_groups": [
                "8 efficiency cores, L2 2048 KiB per 4 CPUs, L3 24576 KiB per 20 CPUs",
                "6 performance cores with 2 of 2 threads, L2 1280 KiB per 2 CPUs, L3 24576 KiB per 20 CPUs",
            ],
        },
    ),
    "the same laptop, in a container with 8 of its cores' time": Recorded(
        Described(
            (Group(6, 2, "core", 1280, l3=24576), Group(8, 1, "atom", 2048, 4, 24576)),
            intel(154, 3, "12th Gen Intel(R) Core(TM) i7-12700H", f"{AVX2} avx_vnni"),
            siblings_adjacent=True,
            files={f"{V2}/cpu.max": "800000 100000", f"{V2}/memory.max": "max"},
        ),
        "0-4,6,8,10",  # a thread of each performance core, then second ones, before any efficiency core
        {"cores": 8, "allowed_cores": 20, "cpu_quota": 8.0, "memory_limit_bytes": None},
    ),
    "laptop bound to its efficiency cores": Recorded(
        Described(
            (Group(6, 2, "core", 1280, l3=24576), Group(8, 1, "atom", 2048, 4, 24576)),
            intel(154, 3, "12th Gen Intel(R) Core(TM) i7-12700H", f"{AVX2} avx_vnni"),
            siblings_adjacent=True,
            affinity="12-19",
        ),
        "12-19",
        {"cores": 8, "core_groups": ["8 efficiency cores, L2 2048 KiB per 4 CPUs, L3 24576 KiB per 20 CPUs"]},
    ),
    "laptop with three kinds of cores": Recorded(
        Described(
            (
                Group(6, 2, "core", 2048, l3=24576),
                Group(8, 1, "atom", 2048, 4, 24576),
                Group(2, 1, "atom", 2048, 2, None),
            ),
            intel(170, 4, "Intel(R) Core(TM) Ultra 7 155H", f"{AVX2} avx_vnni"),
            siblings_adjacent=True,
        ),
        "0-21",
        {
            "cores": 22,
            "core_groups": [
                "2 efficiency cores, L2 2048 KiB per 2 CPUs",
                "8 efficiency cores, L2 2048 KiB per 4 CPUs, L3 24576 KiB per 20 CPUs",
                "6 performance cores with 2 of 2 threads, L2 2048 KiB per 2 CPUs, L3 24576 KiB per 20 CPUs",
            ],
        },
    ),
    "old laptop of two cores": Recorded(
        Described((Group(2, 2, l2=256, l3=4096),), intel(142, 9, "Intel(R) Core(TM) i5-7200U", AVX2)),
        "0-3",
        {
            "cores": 4,
            "cpu_flags": ["avx", "avx2", "f16c", "fma", "sse4_1", "sse4_2"],
            "core_groups": ["2 cores with 2 of 2 threads, L2 256 KiB per 2 CPUs, L3 4096 KiB per 4 CPUs"],
        },
    ),
    "one socket, SMT on": Recorded(
        Described((Group(32, 2, l2=1280, l3=49152),), ICE_LAKE, memory_kib=263_600_000),
        "0-63",
        {
            "cores": 64,
            "sockets": 1,
            "numa_nodes": 1,
            "memory_bytes": 263_600_000 * 1024,
            "memory_installed_bytes": 251 * 2**30,
        },
    ),
    "one socket, SMT off": Recorded(
        Described((Group(32, 1, l2=1280, l3=49152),), ICE_LAKE),
        "0-31",
        {"cores": 32, "core_groups": ["32 cores, L2 1280 KiB per 1 CPU, L3 49152 KiB per 32 CPUs"]},
    ),
    "one socket, bound to one thread of each core": Recorded(
        Described((Group(32, 2, l2=1280, l3=49152),), ICE_LAKE, affinity="0-31"),
        "0-31",
        {
            "cores": 32,
            "core_groups": ["32 cores with 1 of 2 threads, L2 1280 KiB per 2 CPUs, L3 49152 KiB per 64 CPUs"],
        },
    ),
    "two sockets, SMT on": Recorded(
        Described((Group(24, 2, l2=2048, l3=61440),), SAPPHIRE, sockets=2, memory_blocks=(2**31, 256)),
        "0-95",
        {
            "cores": 96,
            "sockets": 2,
            "numa_nodes": 2,
            "memory_installed_bytes": 512 * 2**30,
            "core_groups": [
                "48 cores with 2 of 2 threads, L2 2048 KiB per 2 CPUs, L3 61440 KiB per 48 CPUs"
                " in 2 parts of L3"
            ],
        },
    ),
    "two sockets, SMT off": Recorded(
        Described((Group(20, 1, l2=1024, l3=28160),), SKYLAKE, sockets=2),
        "0-39",
        {"cores": 40, "sockets": 2, "numa_nodes": 2},
    ),
    "two sockets, bound to the second one": Recorded(
        Described((Group(20, 2, l2=1024, l3=28160),), SKYLAKE, sockets=2, affinity="20-39,60-79"),
        "20-39,60-79",
        {"cores": 40, "sockets": 1, "numa_nodes": 1},
    ),
    "one socket of four NUMA nodes, with many L3 caches": Recorded(
        Described((Group(32, 2, l2=512, l3=32768, cores_per_l3=4),), MILAN, nodes_per_socket=4),
        "0-63",
        {
            "cores": 64,
            "numa_nodes": 4,
            "core_groups": [
                "32 cores with 2 of 2 threads, L2 512 KiB per 2 CPUs, L3 32768 KiB per 8 CPUs in 8 parts of L3"
            ],
        },
    ),
    "two sockets of four NUMA nodes each": Recorded(
        Described(
            (Group(32, 1, l2=512, l3=16384, cores_per_l3=4),),
            ROME,
            sockets=2,
            nodes_per_socket=4,
            files={"sys/devices/system/cpu/cpufreq/boost": "0"},
        ),
        "0-63",
        {"cores": 64, "sockets": 2, "numa_nodes": 8, "boost": False},
    ),
    "one socket with many L3 caches, in a container bound to one L3 cache": Recorded(
        Described(
            (Group(48, 2, l2=1024, l3=32768, cores_per_l3=8),),
            GENOA,
            nodes_per_socket=2,
            affinity="8-15,56-63",
        ),
        "8-15,56-63",
        {
            "cores": 16,
            "numa_nodes": 1,
            "core_groups": ["8 cores with 2 of 2 threads, L2 1024 KiB per 2 CPUs, L3 32768 KiB per 16 CPUs"],
        },
    ),
    "server with isolated cores": Recorded(
        Described(
            (Group(16, 1, l2=1280, l3=24576),),
            ICE_LAKE,
            affinity="0-1",
            files={
                "sys/devices/system/cpu/isolated": "2-15",
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
            },
        ),
        "0-1",
        {"cores": 2, "isolated_cores": "2-15", "governor": "performance"},
    ),
    "container of version 2 with a fractional quota": Recorded(
        Described(
            (Group(8, 1),),
            SKYLAKE,
            files={f"{V2}/cpu.max": "250000 100000", f"{V2}/memory.max": str(4 * 2**30)},
        ),
        "0-1",
        {
            "cores": 2,
            "allowed_cores": 8,
            "cpu_quota": 2.5,
            "memory_bytes": 4 * 2**30,
            "memory_limit_bytes": 4 * 2**30,
        },
    ),
    "container of version 2 with half a core": Recorded(
        Described((Group(4, 1),), SKYLAKE, files={f"{V2}/cpu.max": "50000 100000"}),
        "0",
        {"cores": 1, "cpu_quota": 0.5},
    ),
    "service inside nested slices, the outer one of which is the narrowest": Recorded(
        Described(
            (Group(16, 2),),
            SKYLAKE,
            groups_of_process="0::/bench.slice/bench-night.slice/run.service\n",
            files={
                f"{V2}/bench.slice/cpu.max": "400000 100000",
                f"{V2}/bench.slice/memory.max": str(8 * 2**30),
                f"{V2}/bench.slice/bench-night.slice/cpu.max": "max 100000",
                f"{V2}/bench.slice/bench-night.slice/memory.max": "max",
                f"{V2}/bench.slice/bench-night.slice/run.service/cpu.max": "600000 100000",
                f"{V2}/bench.slice/bench-night.slice/run.service/memory.max": str(12 * 2**30),
            },
        ),
        "0-3",
        {"cores": 4, "allowed_cores": 32, "cpu_quota": 4.0, "memory_bytes": 8 * 2**30},
    ),
    "container of version 1, with the paths of its host": Recorded(
        Described(
            (Group(8, 2),),
            SKYLAKE,
            groups_of_process="9:memory:/docker/4f2a\n4:cpu,cpuacct:/docker/4f2a\n1:name=systemd:/docker/4f2a\n",
            mounts=V1_MOUNTS.format(root="/docker/4f2a"),
            files={
                f"{V1_CPU}/cpu.cfs_quota_us": "350000",
                f"{V1_CPU}/cpu.cfs_period_us": "100000",
                f"{V1_MEMORY}/memory.limit_in_bytes": str(2 * 2**30),
            },
        ),
        "0-2",
        {"cores": 3, "cpu_quota": 3.5, "memory_bytes": 2 * 2**30},
    ),
    "pod of version 1, whose quota is that of the pod": Recorded(
        Described(
            (Group(8, 2),),
            SKYLAKE,
            groups_of_process="4:cpu,cpuacct:/kubepods/pod7/c1\n3:memory:/kubepods/pod7/c1\n",
            mounts=V1_MOUNTS.format(root="/"),
            files={
                f"{V1_CPU}/kubepods/pod7/cpu.cfs_quota_us": "200000",
                f"{V1_CPU}/kubepods/pod7/cpu.cfs_period_us": "100000",
                f"{V1_CPU}/kubepods/pod7/c1/cpu.cfs_quota_us": "-1",
                f"{V1_CPU}/kubepods/pod7/c1/cpu.cfs_period_us": "100000",
                f"{V1_MEMORY}/kubepods/pod7/c1/memory.limit_in_bytes": NO_LIMIT,
            },
        ),
        "0-1",
        {"cores": 2, "cpu_quota": 2.0, "memory_limit_bytes": None},
    ),
    "container of version 1 without limits": Recorded(
        Described(
            (Group(4, 1),),
            SKYLAKE,
            groups_of_process="4:cpu,cpuacct:/\n3:memory:/\n",
            mounts=V1_MOUNTS.format(root="/"),
            files={
                f"{V1_CPU}/cpu.cfs_quota_us": "-1",
                f"{V1_CPU}/cpu.cfs_period_us": "100000",
                f"{V1_MEMORY}/memory.limit_in_bytes": NO_LIMIT,
            },
        ),
        "0-3",
        {"cores": 4, "cpu_quota": None, "memory_limit_bytes": None},
    ),
    "container with a cpuset and a larger quota": Recorded(
        Described((Group(16, 2),), SKYLAKE, affinity="4-7", files={f"{V2}/cpu.max": "600000 100000"}),
        "4-7",
        {"cores": 4, "allowed_cores": 4, "cpu_quota": 6.0},
    ),
    "container with a cpuset of siblings and a smaller quota": Recorded(
        Described((Group(16, 2),), SKYLAKE, affinity="4-7,20-23", files={f"{V2}/cpu.max": "500000 100000"}),
        "4-7,20",
        {"cores": 5, "allowed_cores": 8, "cpu_quota": 5.0},
    ),
    "cloud VM with AVX-512 and bfloat16, named AMD EPYC": Recorded(
        Described((Group(2),), amd(25, 17, 1, "AMD EPYC", f"{VNNI} avx512_bf16 hypervisor"), files=QEMU),
        "0-1",
        {"cores": 2, "cpu": "AMD EPYC", "hypervisor": "QEMU Standard PC"},
    ),
    "cloud VM with AVX2 alone, named AMD EPYC": Recorded(
        Described((Group(2),), amd(25, 17, 1, "AMD EPYC", f"{AVX2} hypervisor"), files=QEMU),
        "0-1",
        {"cores": 2, "cpu": "AMD EPYC", "hypervisor": "QEMU Standard PC"},
    ),
    "cloud VM with hyperthreads as CPUs": Recorded(
        Described(
            (Group(2, 2, l2=2048, l3=107520),),
            intel(143, 8, "Intel(R) Xeon(R) Platinum 8488C", f"{AMX} hypervisor"),
            files={**EC2, "sys/class/dmi/id/product_name": "m7i.xlarge"},
        ),
        "0-3",
        {
            "cores": 4,
            "hypervisor": "Amazon EC2 m7i.xlarge",
            "core_groups": ["2 cores with 2 of 2 threads, L2 2048 KiB per 2 CPUs, L3 107520 KiB per 4 CPUs"],
        },
    ),
    "microVM that shows neither topology nor vendor": Recorded(
        Described(
            (),
            {},
            files={
                "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\n"
                "flags\t\t: fpu avx2 hypervisor\n"
            },
            affinity="0",
        ),
        "0",
        {
            "cores": 1,
            "cpu": "Intel(R) Xeon(R) Processor",
            "cpu_id": None,
            "cpu_flags": ["avx2"],
            "hypervisor": "unnamed",
            "core_groups": [],
            "sockets": None,
            "numa_nodes": None,
        },
    ),
    "Arm server in the cloud": Recorded(
        Described(
            (Group(16, 1, l2=1024, l3=32768),),
            arm("0xd40", "0x1", 1, f"{NEON} asimdfhm sve i8mm bf16 svei8mm svebf16"),
            files={**EC2, "sys/class/dmi/id/product_name": "c7g.4xlarge"},
        ),
        "0-15",
        {
            "cores": 16,
            "cpu": "implementer 0x41 part 0xd40 variant 0x1 revision 1",
            "cpu_flags": [
                "asimd",
                "asimddp",
                "asimdfhm",
                "asimdhp",
                "bf16",
                "i8mm",
                "sve",
                "svebf16",
                "svei8mm",
            ],
            "hypervisor": "Amazon EC2 c7g.4xlarge",
        },
    ),
    "Arm server of two sockets, with a quota": Recorded(
        Described(
            (Group(32, 1, l2=1024, l3=32768),),
            arm("0xd0c", "0x3", 1, NEON),
            sockets=2,
            files={f"{V2}/cpu.max": "4050000 100000"},
        ),
        "0-39",
        {"cores": 40, "allowed_cores": 64, "cpu_quota": 40.5, "sockets": 2, "hypervisor": None},
    ),
    "board with fast and slow Arm cores, and a quota": Recorded(
        Described(
            (Group(4, 1, "446", 128, l3=None), Group(4, 1, "1024", 512, l3=None)),
            arm("0xd0b", "0x4", 0, NEON),
            files={f"{V2}/cpu.max": "500000 100000"},
        ),
        "0,4-7",
        {
            "cores": 5,
            "core_groups": [
                "4 capacity 1024 cores, L2 512 KiB per 1 CPU",
                "4 capacity 446 cores, L2 128 KiB per 1 CPU",
            ],
        },
    ),
    "Raspberry Pi": Recorded(
        Described(
            (Group(4, 1, l2=1024, cores_per_l2=4, l3=None),),
            arm("0xd08", "0x0", 3, "asimd evtstrm crc32 cpuid"),
            memory_kib=3_884_360,
            cpuinfo_of_machine={
                "Revision": "c03112",
                "Serial": "100000001234abcd",
                "Model": "Raspberry Pi 4 Model B Rev 1.2",
            },
            files={"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand"},
        ),
        "0-3",
        {
            "cores": 4,
            "cpu": "Raspberry Pi 4 Model B Rev 1.2",
            "cpu_id": "implementer 0x41 part 0xd08 variant 0x0 revision 3",
            "governor": "ondemand",
            "memory_installed_bytes": 4 * 2**30,
            "core_groups": ["4 cores, L2 1024 KiB per 4 CPUs"],
        },
    ),
    "IBM POWER9 with four threads per core": Recorded(
        Described(
            (Group(8, 4, l2=512, l3=10240, cores_per_l3=2),),
            {
                "cpu": "POWER9, altivec supported",
                "clock": "3800.000000MHz",
                "revision": "2.2 (pvr 004e 1202)",
            },
            sockets=2,
            siblings_adjacent=True,
            cpuinfo_of_machine={"platform": "PowerNV", "machine": "PowerNV 8335-GTH"},
            files={
                "proc/driver/nvidia/gpus/0004:04:00.0/information": "Model: \t\t Tesla V100-SXM2-16GB\nIRQ: 12\n",
                "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX ppc64le Kernel Module  440.33.01  Wed\n",
            },
        ),
        "0-63",
        {
            "cores": 64,
            "sockets": 2,
            "hypervisor": None,
            "cpu": "POWER9, altivec supported",
            "cpu_id": "POWER9, altivec supported revision 2.2 (pvr 004e 1202)",
            "cpu_flags": [],
            "accelerators": ["Tesla V100-SXM2-16GB"],
            "drivers": {"nvidia": "440.33.01"},
        },
    ),
    "IBM POWER partition": Recorded(
        Described(
            (Group(2, 8, l2=1024, l3=4096, cores_per_l3=1),),
            {"cpu": "POWER10 (architected), altivec supported", "revision": "2.0 (pvr 0080 0200)"},
            siblings_adjacent=True,
            cpuinfo_of_machine={"platform": "pSeries"},
        ),
        "0-15",
        {"cores": 16, "hypervisor": "pSeries"},
    ),
    "macOS, which has neither folder": Recorded(
        Described((), {}, affinity="0-9", without_linux=True),
        "0-9",
        {
            "cores": 10,
            "cpu_quota": None,
            "cpu_id": None,
            "cpu_flags": [],
            "core_groups": [],
            "sockets": None,
            "numa_nodes": None,
            "boost": None,
            "governor": None,
            "hypervisor": None,
            "memory_bytes": None,
            "memory_installed_bytes": None,
            "accelerators": [],
            "drivers": {},
        },
    ),
}
