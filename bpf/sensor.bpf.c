// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel side of the sensor, one object, so that all parts share the maps. It runs on 6.1 and
 * later with uprobes, BTF tracepoints and iterators alone: no kprobe, no trampoline.
 *
 * In a program: identify, filter, reserve, fill, submit. Every failed reserve or lookup is counted.
 */
#include "kernel-types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "records.h"
#include "shared-maps.h"

#include "maps.bpf.h"

#include "emit.bpf.h"
#include "registers.bpf.h"

#include "network.bpf.h"
#include "tls-sites.bpf.h"

#include "plain-http.bpf.h"
#include "socket-calls.bpf.h"

#include "mapped-files.bpf.h"
#include "process.bpf.h"

char LICENSE[] SEC("license") = "GPL";
