"""The recitation domain: verses, normalisation, the reference walk, grading, smoothing, scoring. Pure."""
