// The state of a walk over a run's regions.
//
// A row is a wall of the domain (0 .. walls - 1) or a unit (walls + unit); its affine form is
// orient[row] times the row, positive on the current region. Rows of units are composed anew for
// every cell of the layers below.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "certificate.hpp"
#include "codewords.hpp"
#include "dimension.hpp"
#include "network.hpp"
#include "path.hpp"
#include "simplex.hpp"

namespace polyrank {

// Values of CellRows::to of a facet: to be looked up; an edge that the neighbour has made already.
// Otherwise the neighbour, domain_wall, missing, or pending: rationals must say.
inline constexpr std::int64_t pending = -3, unknown = -4, known = -5;
// In Found::odd: a row of an open region that is not proved redundant.
inline constexpr std::int64_t candidate_row = -6;
// The end of a list of edges.
inline constexpr std::int32_t last_edge = -1;

// What is known of a row of the cell: nothing yet, it carries a facet, it is redundant, it is a
// multiple of another row.
enum class Status : std::int8_t { open, facet, out, attached };

// Where the hyperplane of a unit runs: it cuts the cell of the layers below; it does not even touch
// it, and the current region is on the side of the cell; neither is proved.
enum class Course : std::int8_t { unsure, beside, cutting };

struct GraphStatistics {  // in the order of polyrank/graph/arrays.py, STATISTICS
  std::int64_t lps = 0, pivots = 0, by_residual = 0, by_integers = 0, by_enclosure = 0,
               by_interval = 0, by_structure = 0, by_vertex = 0, by_recall = 0, by_segment = 0,
               from_neighbours = 0, rays = 0, cells = 0, pending = 0, missing = 0, by_opposite = 0;
};

// What a walk finds in a block. Edges lead from a region to a later one. head[r - first] and
// edge_next are the lists of the edges that lead to region r of the block and that it need not find
// again; an edge that is alone is in none of them: its target finds it by itself. open marks
// regions that rationals must settle. Odd rows are (region, target or missing or pending, row):
// facets that lead back, nowhere, or where rationals must say; (region, candidate_row, row) are the
// rows of an open region that may be facets (all, if none is named). A point belongs to the edge,
// or to the odd facet -1 - i, that owner names; edges without one cross at the segment to the
// target's witness.
struct Found {
  std::vector<std::int32_t> edge_source, edge_target, edge_row, edge_next, head, wall_region,
      wall_row;
  std::vector<std::uint8_t> alone;  // of the edges
  std::vector<std::int64_t> odd;    // three numbers each
  std::vector<std::int64_t> owner;  // of the points
  std::vector<double> point;        // k numbers each
  std::vector<std::uint8_t> open;   // of the block's regions

  std::int64_t edges() const { return static_cast<std::int64_t>(edge_source.size()); }
  std::int64_t odds() const { return static_cast<std::int64_t>(odd.size() / 3); }
};

struct Attached {
  int row, of;  // a row, and the row that it is a multiple of
};

// A facet that no earlier region of the block has told the current one of.
struct NewFacet {
  int place, row;   // the candidate, and the lowest row that is a multiple of it
  bool linked;      // the neighbour need not find it again
  std::int64_t to;  // the neighbour, domain_wall, missing or pending
};

// The rows of a cell, positive inside: first those that are always there (t >= 0 and the cube's
// walls, which bound cones), then the candidates.
struct CellRows {
  std::int64_t capacity = 0;  // doubles from one column to the next, whole lanes
  int always = 0, count = 0;  // rows that are always there; rows
  Buffer<int> row;            // which row it is; -1 for those that are always there
  Buffer<int> position;       // of every row; -1 if it is not there
  Buffer<Status> status;
  Buffer<double> side;            // orientation of the row's columns, 0 where it is taken out
  Buffer<double> columns;         // (d + 1, capacity)
  Buffer<double> form;            // (capacity, stride)
  Buffer<double> radius;          // error of a coefficient or of an evaluation
  Buffer<std::int64_t> exponent;  // integers times 2^-exponent, -1 unknown
  Buffer<bool> central, member, constant;  // constant: a multiple of the homogenising coordinate
  Buffer<double> depth;                    // values at the witness, positive
  Buffer<double> value;                    // scratch: values at another point, or steps along a ray
  Buffer<std::int64_t> to;                 // neighbour across a facet
  Buffer<bool> has_point;                  // a point beyond the facet is kept
  Buffer<double> point;                    // (capacity, k) those points
  Buffer<std::uint64_t> side_word;         // the sides of the rows, one bit each
  Buffer<std::uint64_t> wall_word;         // the walls of the domain among the candidates

  Columns by_column() const { return {columns.data(), capacity}; }
};

// The linear program over the cell's rows; see simplex.hpp.
struct Program {
  Buffer<double> x, inverse, slack, rate, reach, rates, objective, square, direction, sizes, work;
  Buffer<int> basis;
  double error = 0.0;  // of a vertex that was just proved simple: see VertexStore
};

// Vertices of the cell that earlier programs ended in.
struct VertexStore {
  int most = 0;               // room, whole lanes
  int words = 0;              // of 64 sides
  int size = 0, turn = 0;     // vertices; the one that is overwritten next
  Buffer<double> x;           // (most, square)
  Buffer<int> basis;          // (most, d)
  Buffer<double> inverse;     // (most, d * square)
  Buffer<std::int64_t> word;  // (words, most): sides of the rows, those of its basis as turned
  Buffer<std::int64_t> mask;  // (words, most): the rows that do not meet in it
  Buffer<bool> simple;
  Buffer<double> error;  // of a simple one: how far, in the 1-norm, the true vertex is from x
  // (words, most): rows of a simple one such that the edge that leaves them, to the positive or to
  // the negative side of the row, is known to end in a simple one that is kept
  Buffer<std::uint64_t> linked_up, linked_down;
  std::vector<int> active;  // the vertices of the current region

  // Whether the row at place m is on the side where it was positive when the vertex was kept.
  bool is_above(int v, int m) const { return (word[(m >> 6) * most + v] >> (m & 63) & 1) != 0; }
  // Whether the row at place m is one of those that meet in the vertex.
  bool meets(int v, int m) const { return (mask[(m >> 6) * most + v] >> (m & 63) & 1) == 0; }
  void clear() {
    size = turn = 0;
    active.clear();
  }
  void clear_links(int v) {
    for (int c = 0; c < words; c++) linked_up[c * most + v] = linked_down[c * most + v] = 0;
  }
  // For when a simple vertex is given up, in which edges may be known to end.
  void forget_links() {
    std::fill_n(linked_up.data(), most * words, std::uint64_t{0});
    std::fill_n(linked_down.data(), most * words, std::uint64_t{0});
  }
};

// Farkas proofs of redundancy that earlier cells left, `most` per row, of the rows that a layer has
// on one cell of the layers below.
struct ProofStore {
  static constexpr int most = 24;

  Buffer<int> stage;  // (rows, most): the last one of whose units a proof uses

  Buffer<std::int64_t> mask, word;  // (rows, words, most)
  Buffer<int> count, turn;          // per row
  Buffer<std::int64_t> stamp;       // per row: when the layer was composed for which they hold
};

// What the walk keeps of one stage: the rows on the current cell of the stages before, and what was
// found out about them on the stage's cells there.
struct Level {
  bool gathered = false;  // the rows are there
  bool complete = false;  // the active vertices are all of the cell, and simple
  bool uncut =
      false;  // the cell of the stages before, all of whose vertices are known, is the only one
  CellRows cell;
  VertexStore vertices;
};

struct Walk {
  Dimension<0> dim;
  Network net;
  Listing run;
  int layers, stages, walls, own_walls, rows, words;  // words of 64 bits per layer
  int chart;                                          // k, the dimension of the chart
  std::int64_t first, last;  // the regions of the block are first .. last - 1

  Path<0> path;              // rows of the units; bits and zeros of the current region
  Buffer<double> wall_form;  // (walls, stride)
  Buffer<double> wall_radius;
  Buffer<double> orient;     // +-1 per row
  Buffer<int> layer, stage;  // of each unit
  std::vector<int> layer_of_stage;
  Buffer<std::uint64_t> word;   // (layers, words): the bits of each layer of the region
  Buffer<std::int64_t> loaded;  // per layer: how often its rows were composed
  std::uint64_t hash = 0;       // of the codeword

  std::vector<Level> levels;       // the domain, then every stage
  std::vector<ProofStore> proofs;  // of every layer
  Level *now = nullptr;            // the one whose cell is being settled
  Program lp;
  Found found;
  GraphStatistics stat;

  std::vector<std::vector<int>>
      kept;  // (stages + 1): rows not proved redundant on the cell of the stages before
  std::vector<std::vector<int>> cutting;  // (stages): units of a stage not proved redundant there
  std::vector<Attached> attached;         // a stack
  int height = 0;                         // of the stack
  std::vector<int> attached_count;        // its height after each stage's sieve
  std::vector<std::uint8_t> varying;      // OR of the differences to the regions that follow
  std::vector<std::int64_t> flips;        // scratch
  Buffer<int> places;                     // scratch: places of candidates
  Buffer<Course> course;                  // scratch, of the units of a stage
  int level = -1;                         // stage whose cell is being settled
  bool valid = false;                     // the state belongs to region `at`
  std::int64_t at = -1;                   // the last region that was decoded
  bool central;                           // -R is a region with R, with the opposite facets
  std::int64_t listed = -1;  // the region whose facets `facets` and the cell hold, or -1
  std::vector<NewFacet> facets;

  Buffer<double> p, q, y, inner;  // witness, a point beyond, its chart point, scratch
  Buffer<double> none;            // second doubles of points that have none
  Buffer<std::int64_t> integers;  // scratch of proofs in integers

  POLYRANK_COLD Walk(const Network &network, const Listing &listing, std::int64_t d,
                     std::int64_t own, std::int64_t depth, std::int64_t begin, std::int64_t end)
      : dim(d),
        net(network),
        run(listing),
        layers(static_cast<int>(depth)),
        stages(static_cast<int>(listing.stage.shape[0] - 1)),
        walls(static_cast<int>(network.wall_rows.shape[0])),
        own_walls(static_cast<int>(own)),
        rows(walls + static_cast<int>(network.total())),
        words(static_cast<int>((network.widest() + 63) / 64)),
        chart(static_cast<int>(network.centre.shape[0])),
        first(begin),
        last(end),
        path(network, d),
        central(layers == 1 && own == 0 && !network.homogeneous && !network.bounded) {
    const std::int64_t units = network.total(), stride = dim.stride(), square = dim.square();
    const int guards = walls - own_walls;  // t >= 0 and the cube's walls, which bound cones
    const std::int64_t room = rows + guards, capacity = padded(room);
    wall_form = Buffer<double>(walls * stride, 0.0);
    wall_radius = Buffer<double>(walls, 0.0);
    orient = Buffer<double>(rows, 1.0);
    layer = Buffer<int>(units, 0);
    stage = Buffer<int>(units, stages);
    word = Buffer<std::uint64_t>(network.layers() * words, 0);
    loaded = Buffer<std::int64_t>(network.layers(), 0);
    for (std::int64_t k = 0; k < network.layers(); k++)
      for (std::int64_t g = network.unit_start(k); g < network.unit_start(k + 1); g++)
        layer[g] = static_cast<int>(k);
    for (int s = 0; s < stages; s++) {
      layer_of_stage.push_back(layer[run.stage(s)]);
      for (std::int64_t g = run.stage(s); g < run.stage(s + 1); g++) stage[g] = s;
    }
    for (int m = 0; m < walls; m++) {
      for (int l = 0; l <= dim.size(); l++) wall_form[m * stride + l] = network.wall_rows(m, l);
      wall_radius[m] = network.wall_error(m) + gamma(dim.size() + 4);
    }
    levels.resize(static_cast<std::size_t>(stages + 1));
    for (Level &each : levels) prepare(each, room, capacity);
    proofs.resize(static_cast<std::size_t>(layers));
    for (ProofStore &each : proofs) prepare(each);
    now = levels.data();
    places = Buffer<int>(room, 0);
    course = Buffer<Course>(network.widest(), Course::unsure);
    facets.reserve(static_cast<std::size_t>(room));
    lp.x = Buffer<double>(square, 0.0);
    lp.basis = Buffer<int>(dim.size(), -1);
    lp.inverse = Buffer<double>(dim.size() * square, 0.0);
    lp.slack = Buffer<double>(room, 0.0);
    lp.rate = Buffer<double>(room, 0.0);
    lp.reach = Buffer<double>(room, 0.0);
    lp.rates = Buffer<double>(square, 0.0);
    lp.sizes = Buffer<double>(square, 0.0);
    lp.objective = Buffer<double>(stride, 0.0);
    lp.square = Buffer<double>(2 * dim.size() * square, 0.0);
    lp.direction = Buffer<double>(square, 0.0);
    lp.work = Buffer<double>(square, 0.0);
    kept.resize(static_cast<std::size_t>(stages + 1));
    cutting.resize(static_cast<std::size_t>(stages));
    attached.resize(static_cast<std::size_t>(rows + 1));
    attached_count.assign(static_cast<std::size_t>(stages), 0);
    varying.assign(static_cast<std::size_t>(listing.codes.bytes()), 0);
    flips.assign(static_cast<std::size_t>(units + 1), 0);
    p = Buffer<double>(square, 0.0);
    none = Buffer<double>(square, 0.0);
    q = Buffer<double>(square, 0.0);
    inner = Buffer<double>(square, 0.0);
    y = Buffer<double>(chart, 0.0);
    integers = Buffer<std::int64_t>(residue_work(dim.size()), 0);
    // an arrangement has at most k edges per region; pages that nothing touches cost nothing
    const std::int64_t most = std::int64_t{1} << 26;
    const auto expected = static_cast<std::size_t>(std::min((end - begin) * chart, most));
    for (auto *column : {&found.edge_source, &found.edge_target, &found.edge_row, &found.edge_next})
      column->reserve(expected);
    found.alone.reserve(expected);
    found.head.assign(static_cast<std::size_t>(end - begin), last_edge);
    found.open.assign(static_cast<std::size_t>(end - begin), 0);
  }

  // Room for the rows of one stage, the first of which are always there.
  POLYRANK_COLD void prepare(Level &level_rows, std::int64_t room, std::int64_t capacity) {
    CellRows &cell = level_rows.cell;
    const int guards = walls - own_walls;
    const std::int64_t stride = dim.stride(), square = dim.square();
    cell.capacity = capacity;
    cell.always = guards;
    cell.row = Buffer<int>(room, -1);
    cell.position = Buffer<int>(rows, -1);
    cell.status = Buffer<Status>(room, Status::out);
    cell.side = Buffer<double>(room, 0.0);
    cell.columns = Buffer<double>((dim.size() + 1) * capacity, 0.0);
    cell.form = Buffer<double>(room * stride, 0.0);
    cell.radius = Buffer<double>(room, 0.0);
    cell.exponent = Buffer<std::int64_t>(room, -1);
    cell.central = Buffer<bool>(room, false);
    cell.member = Buffer<bool>(room, false);
    cell.constant = Buffer<bool>(guards, false);
    cell.depth = Buffer<double>(room, 0.0);
    cell.value = Buffer<double>(room, 0.0);
    cell.to = Buffer<std::int64_t>(room, 0);
    cell.has_point = Buffer<bool>(room, false);
    cell.point = Buffer<double>(room * chart, 0.0);
    cell.side_word = Buffer<std::uint64_t>((room + 63) / 64, ~std::uint64_t{0});
    cell.wall_word = Buffer<std::uint64_t>((room + 63) / 64, 0);
    for (int m = 0; m < guards; m++) {
      const int wall = own_walls + m;
      bool flat = true;
      for (int l = 0; l <= dim.size(); l++) {
        const double v = net.wall_rows(wall, l);
        cell.form[m * stride + l] = v;
        cell.columns[l * capacity + m] = v;
        flat = flat && (l >= net.constant_column || v == 0.0);
      }
      cell.side[m] = 1.0;
      cell.radius[m] = wall_radius[wall];
      cell.exponent[m] = net.wall_exponent(wall);
      cell.central[m] = is_central_wall(wall);
      cell.constant[m] = net.homogeneous && flat && cell.central[m];
    }
    VertexStore &store = level_rows.vertices;
    // a vertex has an inverse matrix, of which a few millions of entries are kept
    const std::int64_t matrix = dim.size() * square, fit = (std::int64_t{1} << 22) / (matrix + 1);
    store.most = static_cast<int>(std::clamp<std::int64_t>(padded(fit), 8, 256));
    store.words = static_cast<int>((room + 63) / 64);
    store.x = Buffer<double>(store.most * square, 0.0);
    store.basis = Buffer<int>(store.most * dim.size(), 0);
    store.inverse = Buffer<double>(store.most * matrix, 0.0);
    store.word = Buffer<std::int64_t>(store.most * store.words, 0);
    store.mask = Buffer<std::int64_t>(store.most * store.words, 0);
    store.simple = Buffer<bool>(store.most, false);
    store.error = Buffer<double>(store.most, 0.0);
    store.linked_up = Buffer<std::uint64_t>(store.most * store.words, 0);
    store.linked_down = Buffer<std::uint64_t>(store.most * store.words, 0);
    store.active.reserve(static_cast<std::size_t>(store.most + 1));
  }

  POLYRANK_COLD void prepare(ProofStore &store) {
    const std::int64_t entries = static_cast<std::int64_t>(rows) * ProofStore::most;
    store.stage = Buffer<int>(entries, 0);
    store.mask = Buffer<std::int64_t>(entries * words, 0);
    store.word = Buffer<std::int64_t>(entries * words, 0);
    store.count = Buffer<int>(rows, 0);
    store.turn = Buffer<int>(rows, 0);
    store.stamp = Buffer<std::int64_t>(rows, -1);
  }

  CellRows &cell() { return now->cell; }
  const CellRows &cell() const { return now->cell; }
  VertexStore &vertices() { return now->vertices; }
  const VertexStore &vertices() const { return now->vertices; }
  // The layer of the stage whose cell is being settled.
  int layer_here() const { return layer_of_stage[static_cast<std::size_t>(level)]; }
  int d() const { return dim.size(); }
  bool in_block(std::int64_t r) const { return r >= first && r < last; }
  bool is_unit(int row) const { return row >= walls; }
  int layer_of(int row) const { return layer[row - walls]; }
  const double *form_of(int row) const {
    return is_unit(row) ? path.row(row - walls) : wall_form.data() + row * dim.stride();
  }
  double radius_of(int row) const {
    return is_unit(row) ? path.radius[row - walls] : wall_radius[row];
  }
  std::int64_t exponent_of_row(int row) const {
    return is_unit(row) ? path.exponent[row - walls] : net.wall_exponent(row);
  }
  bool is_central_wall(int row) const {
    return net.wall_rows(row, dim.size()) == 0.0 && net.wall_error(row) == 0.0;
  }
  // Rows as certificates read them.
  Rows cell_rows() const { return {cell().form.data(), cell().radius.data()}; }
};

}  // namespace polyrank
