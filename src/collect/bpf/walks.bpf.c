/* SPDX-License-Identifier: Apache-2.0 */
/* The walks, over processes, their memory and control groups, as one object: the linker of bpftool
 * before 7.6 takes no two objects that call the same function of the kernel ("failed to resolve
 * size of underlying type"). */
#include "collect/bpf/tasks.bpf.c"

#include "collect/bpf/cgroups.bpf.c"

#include "collect/bpf/mappings.bpf.c"
