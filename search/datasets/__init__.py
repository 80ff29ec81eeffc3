"""Labelled images: data sets in the layouts that they are published in, and street scenes that are drawn."""
