"""Expressions whose values the real MXNet and this package must share. Each is evaluated with `mx` and `np`."""

#: Graphs: their JSON is compared.
GRAPHS = {
    "RNN": "mx.rnn.RNNCell(4, prefix='a_').unroll(2, mx.sym.var('data'))[0]",
    "RNN relu": "mx.rnn.RNNCell(4, 'relu').unroll(2, [mx.sym.var('x'), mx.sym.var('y')], merge_outputs=True)[0]",
    "LSTM": "mx.rnn.LSTMCell(4).unroll(3, mx.sym.var('data'), layout='TNC', merge_outputs=True)[0]",
    "LSTM states": "mx.rnn.LSTMCell(4, forget_bias=2.0).unroll(1, mx.sym.var('data'))[1]",
    "GRU": "mx.rnn.GRUCell(4).unroll(2, mx.sym.var('data'), merge_outputs=True)[0]",
    "inputs as states": "mx.rnn.GRUCell(4).begin_state(func=mx.sym.Variable)",
    "stack": "stacked(mx).unroll(2, mx.sym.var('data'), merge_outputs=True)[0]",
    "both directions": "mx.rnn.BidirectionalCell(mx.rnn.LSTMCell(4, 'l_'), mx.rnn.GRUCell(4, 'r_'))"
    ".unroll(2, mx.sym.var('data'))[0]",
    "both directions, merged": "mx.rnn.BidirectionalCell(mx.rnn.GRUCell(4, 'l_'), mx.rnn.GRUCell(4, 'r_'))"
    ".unroll(2, mx.sym.var('data'), merge_outputs=True)[0]",
    "fused": "mx.rnn.FusedRNNCell(4, 2, bidirectional=True, dropout=0.5).unroll(3, mx.sym.var('data'), layout='TNC',"
    " merge_outputs=True)[0]",
    "fused states": "mx.rnn.FusedRNNCell(4, mode='gru', get_next_state=True).unroll(3, mx.sym.var('data'),"
    " layout='TNC', merge_outputs=True)[1]",
    "unfused": "mx.rnn.FusedRNNCell(4, 2, bidirectional=True, dropout=0.5, prefix='f_').unfuse()"
    ".unroll(2, mx.sym.var('data'))[0]",
    "zoneout": "mx.rnn.ZoneoutCell(mx.rnn.RNNCell(4), 0.5, 0.5).unroll(2, mx.sym.var('data'))[0]",
    "convolutions": "mx.rnn.ConvLSTMCell((1, 3, 8, 8), 4).unroll(2, mx.sym.var('data'))[0]",
    "convolutions, GRU": "mx.rnn.ConvGRUCell((1, 3, 8, 8), 4).unroll(2, mx.sym.var('data'))[0]",
    "convolutions, plain": "mx.rnn.ConvRNNCell((1, 3, 8, 8), 4).unroll(2, mx.sym.var('data'))[0]",
}

#: Metrics, of which batches are given to two: what they say then, locally and since the begin.
METRICS = [
    "mx.metric.MCC()", "mx.metric.MCC(average='micro')", "mx.metric.F1()", "mx.metric.F1(average='micro')",
    "mx.metric.PCC()", "mx.metric.PearsonCorrelation(average='micro')", "mx.metric.Perplexity(ignore_label=None)",
    "mx.metric.Torch()", "mx.metric.TopKAccuracy(top_k=2)",
]  # fmt: skip

#: What `get_config` returns, as JSON.
CONFIGS = [*METRICS, "mx.metric.create(['acc', 'ce'])", "mx.metric.Accuracy(axis=0, name='x', label_names=['l'])"]


def stacked(mx):
    """A stack of cells that change what others do."""
    stack = mx.rnn.SequentialRNNCell()
    stack.add(mx.rnn.LSTMCell(4, prefix="one_"))
    stack.add(mx.rnn.DropoutCell(0.5))
    stack.add(mx.rnn.ResidualCell(mx.rnn.GRUCell(4, prefix="two_")))
    return stack


def graphs(mx):
    """The JSON of each graph."""
    as_json = {}
    for name, text in GRAPHS.items():
        with mx.name.NameManager():
            value = eval(text, {"mx": mx, "stacked": stacked})
            as_json[name] = (mx.sym.Group(list(value)) if isinstance(value, (list, tuple)) else value).tojson()
    return as_json


def metrics(mx, np):
    """What each metric says after a batch, `reset_local`, and another batch."""
    rng = np.random.RandomState(3)
    batches = [(mx.nd.array(rng.randint(0, 2, 8)), mx.nd.array(rng.rand(8, 2))) for _ in range(2)]
    said = {}
    for text in METRICS:
        metric = eval(text, {"mx": mx})
        pairs = [(mx.nd.array(label.asnumpy()[:, None].repeat(2, 1)), pred) for label, pred in batches]
        for label, pred in pairs if "Pearson" in text else batches:
            metric.reset_local()
            metric.update([label], [pred])
        said[text] = [*map(float, (metric.get()[1], metric.get_global()[1])), metric.get()[0]]
    return said


def configs(mx):
    """How each metric is written down."""
    return {text: eval(text, {"mx": mx}).get_config() for text in CONFIGS}
