"""Private multiparty deep learning: many data owners, one network, nobody's gradient in the clear."""

__version__ = "0.1.0"
