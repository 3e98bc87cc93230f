"""What Dask's own scheduler makes of more workers than there are: their tasks sleep as long as measured ones took."""
