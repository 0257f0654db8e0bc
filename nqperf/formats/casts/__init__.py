"""The files of the float16 cast audit."""
