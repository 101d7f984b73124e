"""Where MXNet's inference of shapes wants more of an operator's inputs than what would be enough.

Each of MXNet's operators has a rule of its own for shapes that are known in part. Most of them are the rules beside the
operators; these are the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuron_adapters.mxnet._unknown_sizes import refused
from neuron_adapters.mxnet.operators._rules import MaybeShape, complete

#: Nothing follows before all sizes of all inputs are known.
_WHOLE = {
    "BilinearSampler", "Flatten", "LRN", "SpatialTransformer", "_contrib_AdaptiveAvgPooling2D", "_contrib_allclose",
    "_contrib_box_nms", "_contrib_MultiProposal", "_contrib_Proposal", "_image_to_tensor", "_slice_assign_scalar",
    "argmax", "argmax_channel", "argmin", "broadcast_axes", "broadcast_axis", "col2im", "flatten", "gather_nd",
    "im2col", "max", "max_axis", "min", "norm", "one_hot", "squeeze", "tile",
}  # fmt: skip
#: Nothing follows before all sizes of the first input are known.
_WHOLE_DATA = {"LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"}
#: Refused where the number of axes of an input is not known, or that of the first one.
_RANKS = {
    "CTCLoss", "Correlation", "Crop", "GridGenerator", "L2Normalization", "Pad", "Pooling_v1", "ROIPooling",
    "_contrib_MultiBoxDetection", "_contrib_MultiBoxPrior", "_contrib_MultiBoxTarget", "_contrib_PSROIPooling",
    "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_bipartite_matching", "_contrib_box_decode",
    "_contrib_box_iou", "_contrib_index_copy", "_contrib_interleaved_matmul_encdec_qk",
    "_contrib_interleaved_matmul_encdec_valatt", "_contrib_interleaved_matmul_selfatt_qk",
    "_contrib_interleaved_matmul_selfatt_valatt", "_image_crop", "_image_flip_left_right", "_image_flip_top_bottom",
    "_image_normalize", "_image_resize", "_linalg_extractdiag", "_linalg_extracttrian", "_linalg_makediag",
    "_linalg_maketrian", "_linalg_syevd", "argsort", "batch_take", "depth_to_space", "khatri_rao", "moments", "pad",
    "reshape_like", "softmax_cross_entropy", "sort", "space_to_depth", "topk",
}  # fmt: skip
_FIRST_RANK = {"InstanceNorm", "SequenceLast", "SequenceMask", "UpSampling"}
#: Refused where a size of an input is not known.
_SIZES = {"_contrib_index_copy", "_linalg_syevd", "argsort", "batch_take", "khatri_rao", "reshape_like", "sort", "topk"}

#: Nothing follows before the number of axes of the first input is known.
_DATA = {
    "Reshape", "reshape",
    "BatchNorm", "BatchNorm_v1", "Convolution", "Deconvolution", "Embedding", "GroupNorm", "LayerNorm", "LeakyReLU",
    "SVMOutput", "Softmax", "SoftmaxOutput", "_contrib_BatchNormWithReLU", "_contrib_SparseEmbedding",
    "_contrib_SyncBatchNorm", "choose_element_0index", "pick", "where",
}  # fmt: skip
#: From the shape of the output nothing follows.
ONE_WAY = {
    "BatchNorm", "BatchNorm_v1", "Convolution_v1", "Crop", "Dropout", "GridGenerator", "GroupNorm", "InstanceNorm",
    "L2Normalization", "LayerNorm", "LeakyReLU", "LinearRegressionOutput", "LogisticRegressionOutput",
    "MAERegressionOutput", "MakeLoss", "Pad", "Pooling", "Pooling_v1", "ROIPooling", "SVMOutput", "SequenceMask",
    "SequenceReverse", "Softmax", "SoftmaxOutput", "SwapAxis", "_CrossDeviceCopy", "_contrib_BatchNormWithReLU",
    "_contrib_BilinearResize2D", "_contrib_DeformableConvolution", "_contrib_MultiBoxPrior",
    "_contrib_PSROIPooling", "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_SyncBatchNorm",
    "_contrib_arange_like", "_contrib_bipartite_matching", "_contrib_box_decode", "_contrib_box_iou",
    "_contrib_index_array", "_contrib_interleaved_matmul_encdec_qk", "_contrib_interleaved_matmul_encdec_valatt",
    "_contrib_interleaved_matmul_selfatt_qk", "_contrib_interleaved_matmul_selfatt_valatt",
    "_contrib_quantized_act", "_contrib_quantized_batch_norm", "_contrib_quantized_concat",
    "_contrib_quantized_conv", "_contrib_quantized_elemwise_add", "_contrib_quantized_elemwise_mul",
    "_contrib_quantized_flatten", "_contrib_quantized_pooling", "_histogram", "_image_crop",
    "_image_flip_left_right", "_image_flip_top_bottom", "_image_normalize", "_image_resize", "_linalg_det",
    "_linalg_extractdiag", "_linalg_extracttrian", "_linalg_gelqf", "_linalg_gemm2", "_linalg_inverse",
    "_linalg_makediag", "_linalg_maketrian", "_linalg_slogdet", "_linalg_sumlogdiag", "_linalg_syrk",
    "_random_pdf_dirichlet", "_random_pdf_exponential", "_random_pdf_gamma",
    "_random_pdf_generalized_negative_binomial", "_random_pdf_negative_binomial", "_random_pdf_normal",
    "_random_pdf_poisson", "_random_pdf_uniform", "_slice_assign", "batch_dot", "broadcast_like", "broadcast_to",
    "depth_to_space", "diag", "dot", "linalg_gemm2", "mean", "nanprod", "nansum", "pad", "prod", "repeat",
    "slice_like", "softmax", "space_to_depth", "sum", "swapaxes", "take",
}  # fmt: skip


def may_infer(op: str, attrs: Mapping[str, str], ins: Sequence[MaybeShape]) -> bool:
    """Whether MXNet infers anything from these inputs of an operator. Raises ValueError where it refuses them."""
    if (op in _RANKS and None in ins) or (op in _FIRST_RANK and ins[0] is None):
        raise ValueError("the shapes of its inputs do not follow from what is given")
    if (op in _DATA and ins[0] is None) or (op in _WHOLE_DATA and not complete(ins[0])):
        return False
    if all(map(complete, ins)):
        return True
    if op in _SIZES or refused(op, attrs, list(ins)):
        raise ValueError("some sizes of its inputs do not follow from what is given")
    return op not in _WHOLE
