"""HTTP: the only importer of Litestar. Handlers translate; decisions are made below them."""
