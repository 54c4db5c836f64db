"""Write the test vectors of the wire: inputs, bytes and meaning, for whoever implements it in another language."""
