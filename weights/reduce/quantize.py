"""quantize.py: the reduced network's weights as few values per layer, chosen so that its outputs change little.

A layer's values are a codebook, fitted by k-means. Which of them stands for a weight is decided input by input: the error
that rounding makes for one input is made up for, as well as can be, by the weights of the inputs that are not rounded yet (Frantar
et al. 2022, GPTQ, arXiv:2210.17323). With H the second moments of the layer's inputs and U the upper Cholesky factor of H^-1,

    q_j = nearest(w_j),    w_k -= (w_j - q_j) U_jk / U_jj  for all k > j.

VGG's features point mostly in one direction, in which errors would otherwise add up: at the same number of bits this leaves a
tenth of the error in the outputs or less.
"""

import torch

from store import fit_codebook, nearest

DAMPING = 0.01  # of the mean second moment
COLUMNS = 64    # rounded before the rest is brought up to date


def round_with_feedback(weights, moments, bits):
    """Weights [out, n] as at most 2^bits values, for inputs with second moments [n, n]."""
    count, codebook = len(moments), fit_codebook(weights, bits)
    order = moments.diagonal().argsort(descending=True)
    moments = moments[order][:, order].double()
    moments += DAMPING * moments.diagonal().mean() * torch.eye(count)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments))
    factor = torch.linalg.cholesky(inverse, upper=True).float()
    weights, rounded = weights[:, order], torch.zeros_like(weights)
    for start in range(0, count, COLUMNS):
        end = min(count, start + COLUMNS)
        errors = torch.zeros(len(weights), end - start)
        for j in range(start, end):
            rounded[:, j] = codebook[nearest(codebook, weights[:, j].contiguous())]
            errors[:, j - start] = (weights[:, j] - rounded[:, j]) / factor[j, j]
            weights[:, j:end] -= errors[:, j - start, None] * factor[j, j:end]
        weights[:, end:] -= errors @ factor[start:end, end:]
    result = torch.empty_like(rounded)
    result[:, order] = rounded
    return result
