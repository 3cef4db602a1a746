"""Tables of a run, for people and for programs."""

from polyrank.room import public

__all__, __getattr__, __dir__ = public(
    __name__,
    {
        "complex_map": ["draw_complex"],
        "graph_map": ["draw_graph"],
        "histogram": ["draw_histograms"],
        "line_map": ["draw_line_map"],
        "manifold_map": ["draw_manifold"],
        "map": ["draw_map"],
        "page": ["report_page"],
        "picture": ["save_picture"],
        "summary": ["layer_summary", "run_object", "verdict"],
        "tables": ["layers_table", "plain_table", "word_text"],
    },
)
