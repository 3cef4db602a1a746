"""From one layer to the next: compose rows, decide what needs no linear program, prove ranks."""

from __future__ import annotations

from polyrank.cells.arrays import ZERO_ROW
from polyrank.cells.compose import compose, gamma
from polyrank.cells.log_steps import LOG_CUBE_NEGATIVE, LOG_CUBE_POSITIVE, LOG_ZERO
from polyrank.cells.proof_log import log_unit
from polyrank.cells.work import (
    S_CACHED,
    S_INTERVAL,
    S_MINORS,
    S_RANK_INTEGER,
    S_RANK_OPEN,
    S_STRUCTURE,
    SUBSETS,
)
from polyrank.lp.certify import INFLATE, independent, integer_rank
from polyrank.lp.jit import fused

__all__ = ["enter_layer", "finish_layer", "first_layer", "next_layer", "region_rank"]


@fused
def first_layer(net, work):
    """Load the rows of layer 1, which are the same on the whole domain."""
    d = work.x.shape[0]
    for i in range(net.units[0]):
        for l in range(d + 1):
            work.rows[i, l] = net.first_rows[i, l]
        work.error[i] = net.first_error[i]
        work.power[i] = net.first_power[i]
        work.exponent[i] = net.first_exponent[i]
        work.radius[i] = work.error[i] + gamma(d + 4)


@fused
def next_layer(net, work, k):
    """Compose the rows of layer k (0-based, k ≥ 1) on the region given by the path's bits."""
    d = work.x.shape[0]
    a, b = net.unit_start[k - 1], net.unit_start[k]
    n_in, n_out = net.units[k - 1], net.units[k]
    for j in range(n_in):
        if work.layer_bit[a + j] == 1:
            work.slope[j] = net.slope_pos[a + j]
        else:
            work.slope[j] = net.slope_neg[a + j]
    start = net.weight_start[k]
    weight = net.weight[start : start + n_in * n_out].reshape(n_in, n_out)
    compose(
        weight, net.bias[b : b + n_out], net.exact_weight[k], net.exact_arithmetic[k], work.slope,
        work.rows[a : a + n_in], work.error[a : a + n_in], work.power[a : a + n_in],
        net.constant_column if net.constant_column < d + 1 else d, n_in, n_out,
        work.rows[b : b + n_out], work.error[b : b + n_out], work.power[b : b + n_out],
        work.factor, work.compose_work, work.magnitude,
    )  # fmt: skip
    rounding = gamma(d + 4)
    for i in range(n_out):
        work.radius[b + i] = work.error[b + i] + rounding
        work.exponent[b + i] = -1
        if net.exact_arithmetic[k]:
            if work.power[b + i] != ZERO_ROW:
                work.exponent[b + i] = net.lsb[k] + work.power[b + i]
            else:
                work.exponent[b + i] = 0
    work.subset_count[k, 0] = 0
    work.subset_count[k, 1] = 0


@fused
def enter_layer(net, work, k, bits, split):
    """Decide what needs no LP: no hyperplane, tied, constant rows, the cube's bound."""
    d = work.x.shape[0]
    a = net.unit_start[k]
    for i in range(net.units[k]):
        g = a + i
        split[i] = 0
        bits[i] = -1
        if not net.hyperplane[g]:
            bits[i] = 1
            continue
        if net.tie[g] >= 0:
            bits[i] = 3
            work.stat[S_STRUCTURE] += 1
            continue
        spread = 0.0
        for l in range(d):
            spread += abs(work.rows[g, l])
        c = work.rows[g, d]
        if spread == 0.0 and work.error[g] == 0.0:
            bits[i] = 2 if c == 0.0 else (1 if c > 0.0 else 0)
            work.stat[S_STRUCTURE] += 1
            if c == 0.0:
                log_unit(work, LOG_ZERO, i)
            else:
                log_unit(work, LOG_CUBE_POSITIVE if c > 0.0 else LOG_CUBE_NEGATIVE, i)
            continue
        if net.homogeneous and work.error[g] == 0.0:
            slanted = 0
            for l in range(d - 1):
                if work.rows[g, l] != 0.0:
                    slanted += 1
            if slanted == 0:
                # a multiple of t, which is positive
                bits[i] = 1 if work.rows[g, d - 1] > 0.0 else 0
                work.stat[S_STRUCTURE] += 1
                log_unit(work, LOG_CUBE_POSITIVE if bits[i] == 1 else LOG_CUBE_NEGATIVE, i)
                continue
        if abs(c) > (spread + (d + 1) * work.radius[g]) * INFLATE:
            bits[i] = 1 if c > 0.0 else 0
            work.stat[S_INTERVAL] += 1
            log_unit(work, LOG_CUBE_POSITIVE if c > 0.0 else LOG_CUBE_NEGATIVE, i)


@fused
def finish_layer(net, work, k, bits, split):
    """Write the bits of a region of layer k to the path and determine its rank."""
    a = net.unit_start[k]
    n = net.units[k]
    for i in range(n):
        g = a + i
        b = bits[i]
        zero = 0
        if b == 3:
            j = net.tie[g] - 0
            b = bits[j]
            if b == 2:
                zero = 1
                b = 0
            elif net.tie_sign[g] < 0:
                b = 1 - b
        elif b == 2:
            zero = 1
            b = 0
        work.layer_bit[g] = b
        work.layer_zero[g] = zero
        work.layer_split[g] = split[i]
    region_rank(net, work, k)


@fused
def _cached_rank(net, work, k, size):
    """Whether units that were proved independent on these rows before are all active now."""
    a = net.unit_start[k]
    for c in range(work.subset_count[k, 0]):
        if work.subset_size[k, c] != size:
            continue
        active = True
        for q in range(size):
            g = a + work.subset[k, c, q]
            slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
            if slope == 0.0:
                active = False
                break
        if active:
            work.stat[S_CACHED] += 1
            return True
    return False


@fused
def _independent_again(net, work, k, size):
    """Whether some units that were independent on other rows of the layer are so on these."""
    a = net.unit_start[k]
    count = work.subset_count[k, 0]
    columns = net.linear_columns
    for c in range(count, min(count + 8, SUBSETS)):
        if work.subset_size[k, c] != size:
            continue
        active = True
        for q in range(size):
            g = a + work.subset[k, c, q]
            slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
            active = active and slope != 0.0
            for l in range(columns):
                work.rank_rows[q, l] = work.rows[g, l]
            work.rank_radius[q] = work.radius[g]
        if active and independent(
            work.rank_rows, work.rank_radius, size, size, work.chosen, work.rank_work,
            work.rank_inverse, work.chosen_columns, work.used,
        ):  # fmt: skip
            for q in range(work.subset.shape[2]):
                i = work.subset[k, c, q]
                work.subset[k, c, q] = work.subset[k, count, q]
                work.subset[k, count, q] = i
            work.subset_size[k, c] = work.subset_size[k, count]
            work.subset_size[k, count] = size
            work.subset_count[k, 0] = count + 1
            work.subset_count[k, 1] = (count + 1) % SUBSETS
            work.stat[S_MINORS] += 1
            return True
    return False


@fused
def region_rank(net, work, k):
    """Rank of the map through layer k on the path's region: proven, or −1 with an upper bound."""
    a = net.unit_start[k]
    n = net.units[k]
    columns = net.linear_columns
    bound = columns if k == 0 else work.layer_bound[k - 1]
    if net.weight_rank[k] < bound:
        bound = net.weight_rank[k]
    if bound == 0 or _cached_rank(net, work, k, bound) or _independent_again(net, work, k, bound):
        work.layer_bound[k] = bound
        work.layer_rank[k] = bound
        return
    live = 0
    for i in range(n):
        g = a + i
        slope = net.slope_pos[g] if work.layer_bit[g] == 1 else net.slope_neg[g]
        if slope != 0.0 and work.layer_zero[g] == 0 and work.power[g] != ZERO_ROW:
            fresh = net.direction[g] >= 0
            if fresh and net.direction[g] != i:
                # rows of one direction add one to the rank at most
                for r in range(live):
                    if net.direction[a + work.rank_index[r]] == net.direction[g]:
                        fresh = False
                        break
            if fresh:
                work.rank_index[live] = i
                live += 1
    if live < bound:
        bound = live
        if bound == 0 or _cached_rank(net, work, k, bound):
            work.layer_bound[k] = bound
            work.layer_rank[k] = bound
            return
    work.layer_bound[k] = bound
    for r in range(live):
        g = a + work.rank_index[r]
        for l in range(columns):
            work.rank_rows[r, l] = work.rows[g, l]
        work.rank_radius[r] = work.radius[g]
    if independent(
        work.rank_rows, work.rank_radius, live, bound, work.chosen, work.rank_work,
        work.rank_inverse, work.chosen_columns, work.used,
    ):  # fmt: skip
        work.layer_rank[k] = bound
        work.stat[S_MINORS] += 1
        c = work.subset_count[k, 1]
        for q in range(bound):
            work.subset[k, c, q] = work.rank_index[work.chosen[q]]
        work.subset_size[k, c] = bound
        work.subset_count[k, 1] = (c + 1) % SUBSETS
        if work.subset_count[k, 0] < SUBSETS:
            work.subset_count[k, 0] += 1
        return
    rank = integer_rank(
        work.rows[a : a + n], work.exponent[a : a + n], work.rank_index, live, columns,
        work.integers,
    )  # fmt: skip
    work.layer_rank[k] = rank
    if rank >= 0:
        work.layer_bound[k] = rank
        work.stat[S_RANK_INTEGER] += 1
    else:
        work.stat[S_RANK_OPEN] += 1
