"""The compiled walk over a run's regions: the facets of every region, each with its proof.

A region is the intersection of the walls of the domain and one half-space per unit. The walk goes
through the regions in the order of the file, which is that of a depth-first search, and keeps for
every prefix of layers the rows that are not proved redundant on the prefix's cell; a region's
candidates are those of the cell above and the units of its own layer that are not constant
there. What float and 64-bit arithmetic cannot prove makes the region *open*: it is handed back and
decided in rational arithmetic.

Since the network is continuous, only units that vanish on the facet change sign across it; where
none of them lies above another the neighbour's codeword is the region's with their bits flipped,
and it is looked up among the run's codewords.
"""

from __future__ import annotations

from polyrank.graph.arrays import (
    CANDIDATE,
    EDGES,
    FACET,
    GATHERED,
    KNOWN,
    LEVEL,
    MISSING,
    NEW,
    ODD,
    OUT,
    PENDING,
    POINTS,
    PROPORTIONAL,
    REDUNDANT,
    S_CELLS,
    S_INTERVAL,
    S_MISSING,
    S_PENDING,
    S_RESIDUAL,
    S_STRUCTURE,
    S_VERTEX,
    UNKNOWN,
    UNLINKED,
    VALID,
    WALL,
    WALLS,
)
from polyrank.graph.codes import decode, find, load_varying
from polyrank.graph.facets import attach, known_facets, settle
from polyrank.graph.layer_rows import (
    gather_cutting,
    gather_kept,
    load_layer,
    turn,
)
from polyrank.graph.rays import depths, load_witness, root
from polyrank.graph.redundancy import program, redundant_at_vertex
from polyrank.graph.vertices import select_vertices
from polyrank.lp.certify import INFLATE
from polyrank.lp.jit import fused, kernel

__all__ = ["walk"]


@fused
def _sieve(net, w, k, rows, height):
    """Units of layer k on the cell of the layers below: those not proved redundant there.

    Fills ``cutting[k]``; returns the new height of the attached.
    """
    d = w.x.shape[0]
    base = net.wall_rows.shape[0]
    out = 0
    bit = 0
    for g in range(net.unit_start[k]):
        if net.hyperplane[g]:
            bit += 1
    for g in range(net.unit_start[k], net.unit_start[k + 1]):
        if not net.hyperplane[g]:
            continue
        position = bit
        bit += 1
        if net.tie[g] >= 0 or w.vanish[g] == 1:
            continue
        if not (w.varying[position >> 3] >> (position & 7)) & 1:
            row = base + g
            spread = 0.0
            slanted = 0
            for l in range(d):
                spread += abs(w.table[row, l])
                if l < d - 1 and w.table[row, l] != 0.0:
                    slanted += 1
            if w.error[g] == 0.0 and (spread == 0.0 or (net.homogeneous and slanted == 0)):
                w.stat[S_STRUCTURE] += 1
                continue
            if abs(w.table[row, d]) > (spread + (d + 1) * w.radius[row]) * INFLATE:
                w.stat[S_INTERVAL] += 1
                continue
            if redundant_at_vertex(w, row):
                w.stat[S_VERTEX] += 1
                w.stat[S_RESIDUAL] += 1
                continue
            verdict, other = program(net, w, row, -1, False, rows, False)
            if verdict == REDUNDANT:
                continue
            if verdict == PROPORTIONAL:
                height = attach(w, height, row, w.candidate[other])
                continue
        w.cutting[k, out] = g
        out += 1
    w.cutting_count[k] = out
    return height


@fused
def _cross(net, w, codes, row, height, r, flips, zero_layer):
    """The neighbour across a facet: WALL, a region, MISSING or PENDING.

    Returns (neighbour, lowest row that carries the facet).
    """
    base = net.wall_rows.shape[0]
    lowest = row
    count = 0
    value = w.hash[0]
    layer = -1
    mixed = False
    for a in range(-1, height):
        other = row if a < 0 else w.attached[a, 0]
        if a >= 0 and root(w, other, height) != row:
            continue
        lowest = min(lowest, other)
        if other < base:
            continue
        g = other - base
        mixed = mixed or zero_layer > w.layer[g] or (layer >= 0 and w.layer[g] != layer)
        layer = w.layer[g]
        for f in range(codes.flip_start[g], codes.flip_start[g + 1]):
            flips[count] = codes.flip[f]
            count += 1
        value ^= codes.flip_key[g]
    if lowest < base:
        return WALL, lowest
    if mixed:  # a unit above another one vanishes on the facet: its row on the other side decides
        w.stat[S_PENDING] += 1
        return PENDING, lowest
    return find(codes, value, r, flips, 0, count), lowest


@fused
def _point(w, found, owner, m):
    n = w.state[POINTS]
    found.point_owner[n] = owner
    for l in range(w.y.shape[0]):
        found.point[n, l] = w.found_y[m, l]
    w.state[POINTS] = n + 1


@fused
def _emit(net, w, codes, found, r, count, height, flips, zero_layer):
    """Write the facets of region r."""
    for m in range(w.always[0], count):
        if w.status[m] != FACET or w.found_to[m] == KNOWN:
            continue
        row = w.candidate[m]
        to = w.found_to[m]
        linked = to != UNKNOWN
        if not linked:
            to, lowest = _cross(net, w, codes, row, height, r, flips, zero_layer)
            linked = lowest == row and to >= 0
            for a in range(height):
                if w.attached[a, 0] == row or w.attached[a, 1] == row:
                    linked = False
            row = lowest
        if to == WALL:
            n = w.state[WALLS]
            found.wall_region[n] = r
            found.wall_row[n] = row
            w.state[WALLS] = n + 1
        elif to > r:
            e = w.state[EDGES]
            found.edge_source[e] = r
            found.edge_target[e] = to
            found.edge_row[e] = row
            if linked:
                found.edge_next[e] = found.head[to]
                found.head[to] = e
            else:
                found.edge_next[e] = UNLINKED
            if w.found_point[m]:
                _point(w, found, e, m)
            w.state[EDGES] = e + 1
        else:
            n = w.state[ODD]
            found.odd[n, 0] = r
            found.odd[n, 1] = to
            found.odd[n, 2] = row
            if to < 0:
                _point(w, found, -1 - n, m)
            w.state[ODD] = n + 1
            if to == MISSING:
                w.stat[S_MISSING] += 1


@fused
def _renew(w, count):
    """Every candidate is undecided again."""
    for m in range(w.always[0], count):
        w.status[m] = NEW


@fused
def _keep(w, k, count):
    """Hand the rows that are left to the cells below."""
    out = 0
    for m in range(w.always[0], count):
        if w.status[m] == FACET:
            w.kept[k, out] = w.candidate[m]
            out += 1
    w.kept_count[k] = out


@fused
def _leave_candidates(w, found, r, count):
    """Name the rows of an open region that are not proved redundant."""
    for m in range(w.always[0], count):
        if w.status[m] != OUT:
            n = w.state[ODD]
            found.odd[n, 0] = r
            found.odd[n, 1] = CANDIDATE
            found.odd[n, 2] = w.candidate[m]
            w.state[ODD] = n + 1


@fused
def _leave_open(w, found, r):
    found.is_open[r] = True
    w.state[GATHERED] = 0


@kernel
def walk(net, w, codes, found, layers, begin, end, flips):
    """Facets of the regions ``begin .. end − 1``.

    Returns the first region that is not done: ``end``, or less where a buffer is full.
    """
    own = w.always[1]
    room = w.table.shape[0]
    for r in range(begin, end):
        if (
            w.state[EDGES] + room > found.edge_source.shape[0]
            or w.state[WALLS] + room > found.wall_region.shape[0]
            or w.state[ODD] + room > found.odd.shape[0]
            or w.state[POINTS] + room > found.point.shape[0]
        ):
            return r
        fresh = r == 0 or w.state[VALID] == 0
        change, zero_layer = decode(net, w, codes, r, fresh)
        w.state[VALID] = 1
        if not load_witness(net, codes, r, w.p):
            _leave_open(w, found, r)
            w.state[VALID] = 0
            continue
        height = 0
        done = True
        count = 0
        consistent = False
        for k in range(-1 if fresh else change, layers):
            final = k == layers - 1
            w.state[LEVEL] = k
            if k < 0:  # the domain itself
                w.kept_count[0] = own
                for m in range(own):
                    w.kept[0, m] = m
                count = gather_kept(net, w, 0)
            elif k > change or fresh:
                load_layer(net, w, k)
                load_varying(codes, w, r, k)
                w.stat[S_CELLS] += 1
                count = gather_kept(net, w, k)
                height = _sieve(net, w, k, count, height)
                w.attached_count[k] = height
                count = gather_cutting(net, w, k, count)
            else:
                height = w.attached_count[k]
                if final and w.state[GATHERED] > 0:
                    count = w.state[GATHERED]
                    turn(w, count)
                else:
                    count = gather_cutting(net, w, k, gather_kept(net, w, k))
            w.state[GATHERED] = count if final else 0
            _renew(w, count)
            select_vertices(w, count)
            consistent = final
            done = depths(w, count)
            if done and final:
                done = known_facets(net, w, codes, found, r, count, height, zero_layer, layers)
                consistent = done
            if done:
                done, height = settle(net, w, count, final, height, k + 1)
            if not done:
                break
            if not final:
                _keep(w, k + 1, count)
        if done:
            _emit(net, w, codes, found, r, count, height, flips, zero_layer)
        else:
            if consistent and w.state[GATHERED] > 0:
                _leave_candidates(w, found, r, count)
            if not w.state[GATHERED]:
                w.state[VALID] = 0
            _leave_open(w, found, r)
    return end
