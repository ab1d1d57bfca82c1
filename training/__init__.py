"""Makes the bundled model: ``python -m training --data DIR --out models/rattil-tiny``.

Never imported by a service.
"""
