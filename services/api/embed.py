#!/usr/bin/env python3
"""Write a file's bytes as a C array: embed.py <input> <output.c> <name>. Used by meson.build."""
import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
with open(target, "w", encoding="ascii") as out:
    out.write('/* Made by embed.py. */\n#include "services/api/embedded.h"\n')
    out.write(f"const unsigned long {name}_size = {len(data)};\n")
    out.write(f"const unsigned char {name}_data[] = {{\n")
    for at in range(0, len(data), 16):
        out.write(",".join(str(byte) for byte in data[at:at + 16]) + ",\n")
    out.write("0};\n")
