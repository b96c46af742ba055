"""The kinds of photo file that are read: how each is told, checked and made ready before a pixel of it is decoded."""
