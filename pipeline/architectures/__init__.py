"""One network a file; each exports ``build(input_shape, classes, *, …options) -> keras.Model``."""
